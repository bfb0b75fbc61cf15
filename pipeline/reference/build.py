"""`make reference`: decorate prototypes, relax each crystal with CHGNet, drop what went wrong, write one parquet."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.crystals.crystal import Crystal
from pipeline.crystals.encoding import describe
from pipeline.oracles.chgnet import CHGNetOracle
from pipeline.oracles.pool import label_all
from pipeline.oracles.protocol import Label
from pipeline.oracles.store import LabelStore
from pipeline.reference.decorations import Decoration, compound_decorations, element_decorations
from pipeline.reference.prototypes import Prototype, load_prototypes
from pipeline.tables import write_table

REFERENCE_SEED = 2023
PER_PROTOTYPE = {2: 17, 3: 28, 4: 16}
FORMATION_ENERGY_RANGE = (-5.0, 2.0)
PACKAGES = ("chgnet", "torch", "ase", "pymatgen", "moyopy", "numpy")


@dataclass(frozen=True)
class Reference:
    """The finished set.

    Attributes:
        table: One row per kept crystal.
        rejected: How many decorations were dropped, by reason.
        decorations: How many were tried.
    """

    table: pl.DataFrame
    rejected: dict[str, int]
    decorations: int


def initial_crystal(prototype: Prototype, elements: tuple[str, ...]) -> Crystal:
    """The decorated prototype at the volume of the data-mined lattice scheme (Chu et al., CMS 146, 184 (2018))."""
    from pymatgen.analysis.structure_prediction.volume_predictor import DLSVolumePredictor

    crystal = prototype.decorate(elements)
    return crystal.scaled_to(float(DLSVolumePredictor().predict(crystal.to_pymatgen())))


def build(store: LabelStore, limit: int | None = None) -> Reference:
    """Make the reference set; labels already in the store are not computed again.

    Args:
        store: Label store, so that an interrupted build goes on where it stopped.
        limit: Only the first so many decorations (for trying things out).
    """
    prototypes = load_prototypes()
    compounds = compound_decorations(prototypes, PER_PROTOTYPE, REFERENCE_SEED)
    decorations = (element_decorations(prototypes) + compounds)[:limit]
    crystals = [initial_crystal(prototypes[label], elements) for label, elements in decorations]
    labels = label_all(CHGNetOracle(), crystals, store, "relaxing with CHGNet")
    return _assemble(decorations, labels)


def write_reference(reference: Reference, path: Path) -> None:
    """Write the set with versions, seed, settings and rejection counts in the metadata of the file."""
    oracle = CHGNetOracle()
    facts = {
        "note": "Energies are predictions of CHGNet 0.3.0, not DFT.",
        "label_method": oracle.name,
        "settings": oracle.settings.as_dict(),
        "seed": REFERENCE_SEED,
        "per_prototype": PER_PROTOTYPE,
        "decorations": reference.decorations,
        "kept": len(reference.table),
        "rejected": reference.rejected,
        "versions": {name: version(name) for name in PACKAGES},
    }
    write_table(reference.table, path, sort_by="material_id", metadata={"lodestone": json.dumps(facts, sort_keys=True)})


def _assemble(decorations: list[Decoration], labels: list[Label]) -> Reference:
    good = [(item, label) for item, label in zip(decorations, labels, strict=True) if label.ok]
    described = describe([label.crystal for _, label in good if label.crystal is not None])
    table = described.with_columns(
        pl.Series("energy_per_atom", [label.energy_per_atom for _, label in good]),
        pl.Series("aflow_prototype", [label for (label, _), _ in good]),
        pl.Series("decoration", ["-".join(elements) for (_, elements), _ in good]),
        pl.lit(CHGNetOracle().name).alias("label_method"),
    )
    table = _with_formation_energy(table)
    kept, late = _drop_implausible(table)
    ids = pl.format("lode-{}-{}", pl.col("aflow_prototype"), pl.col("decoration")).alias("material_id")
    reasons = Counter(label.status.split(":")[0] for label in labels if not label.ok) + late
    return Reference(kept.select(ids, pl.all()), dict(sorted(reasons.items())), len(decorations))


def _with_formation_energy(table: pl.DataFrame) -> pl.DataFrame:
    elements = table.filter(~pl.col("chemsys").str.contains("-")).group_by("chemsys").agg(pl.col("energy_per_atom").min())
    reference = dict(elements.iter_rows())
    from pipeline.crystals.elements import SYMBOLS

    mu = np.array([reference.get(symbol, np.nan) for symbol in SYMBOLS])
    baseline = [float(np.mean(mu[row.to_numpy()])) for row in table["atomic_numbers"]]
    return table.with_columns((pl.col("energy_per_atom") - pl.Series(baseline)).alias("formation_energy_per_atom"))


def _drop_implausible(table: pl.DataFrame) -> tuple[pl.DataFrame, Counter[str]]:
    """Drop formation energies outside the plausible range, then all but the lowest of equal relaxed crystals."""
    plausible = table.filter(pl.col("formation_energy_per_atom").is_between(*FORMATION_ENERGY_RANGE))
    kept = plausible.sort("energy_per_atom", "aflow_prototype", "decoration").unique(
        ["formula_pretty", "decorated_prototype"], keep="first", maintain_order=True
    )
    lost = {"implausible_energy": len(table) - len(plausible), "relaxed_to_a_duplicate": len(plausible) - len(kept)}
    return kept, Counter(lost)
