"""`make reference`: decorate prototypes, relax each crystal with CHGNet, drop failures, write one parquet."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import polars as pl

from lodestone.crystals.compositions import atomic_fractions
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import describe
from lodestone.oracles.base import Label
from lodestone.oracles.chgnet import CHGNetOracle, CHGNetSettings
from lodestone.oracles.pool import label_all
from lodestone.oracles.store import LabelStore
from lodestone.reference.decorations import (
    Decoration,
    compound_decorations,
    element_decorations,
    salt_decorations,
)
from lodestone.reference.prototypes import Prototype, load_prototypes
from lodestone.stability.references import elemental_references, formation_energies
from lodestone.tables.files import write_table

REFERENCE_SEED = 2023
PER_PROTOTYPE = {2: 17, 3: 28, 4: 16}
FORMATION_ENERGY_RANGE = (-5.0, 2.0)
LARGEST_VOLUME = 150.0  # Å3/atom, as validate.volume_per_atom
CM3_PER_MOL = 1.66053907  # Å3 per atom
SECOND_SCALE = 2.0
DECIMALS = 5  # as the Materials Project publishes; what an optimizer leaves beyond is noise, and half of the file
ORACLE = CHGNetOracle(
    CHGNetSettings(
        name="chgnet-0.3.0",
        fmax=0.05,
        max_steps=100,
        max_volume_change=2.0,
        min_distance_ratio=0.5,
        min_energy_per_atom=-15.0,
    )
)


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


def initial_crystal(prototype: Prototype, elements: tuple[str, ...], scale: float = 1.0) -> Crystal:
    """The decorated prototype at an estimated volume.

    Elements start at their molar volume, compounds at that of the data-mined lattice scheme (Chu et al., Comput. Mater.
    Sci. 146, 184 (2018)).

    Args:
        prototype: What to decorate.
        elements: One element for each element of the prototype.
        scale: Factor on the estimated volume.
    """
    crystal = prototype.decorate(elements)
    return crystal.scaled_to(scale * estimated_volume(crystal, elements))


def base_decorations() -> list[Decoration]:
    """What `make reference` tries: the elements, the salts, and a sample of each compound prototype."""
    prototypes = load_prototypes()
    compounds = compound_decorations(prototypes, PER_PROTOTYPE, REFERENCE_SEED)
    return list(dict.fromkeys(element_decorations(prototypes) + salt_decorations(prototypes) + compounds))


def build(store: LabelStore, limit: int | None = None) -> Reference:
    """Make the reference set; labels already in the store are not computed again.

    If the estimated volume was so small that the crystal more than doubled it, a second relaxation starts from twice
    the estimate.

    Args:
        store: Label store, so that an interrupted build resumes where it stopped.
        limit: Use only this many of the first decorations (for trying things out).
    """
    prototypes = load_prototypes()
    decorations = base_decorations()[:limit]
    first = [initial_crystal(prototypes[label], elements) for label, elements in decorations]
    labels = label_all(ORACLE, first, store, "relaxing with CHGNet")
    scales = [SECOND_SCALE if label.status == "exploded" else 1.0 for label in labels]
    second = [
        initial_crystal(prototypes[label], x, scale) for (label, x), scale in zip(decorations, scales, strict=True)
    ]
    labels = label_all(ORACLE, second, store, "relaxing again from twice the volume")
    return _assemble(decorations, scales, labels)


def write_reference(reference: Reference, path: Path) -> None:
    """Write the set with versions, seed, settings and rejection counts in the metadata of the file."""
    facts = {
        "note": "Energies are predictions of CHGNet 0.3.0, not DFT.",
        "label_method": ORACLE.name,
        "settings": ORACLE.label_settings(),
        "seed": REFERENCE_SEED,
        "per_prototype": PER_PROTOTYPE,
        "decorations": reference.decorations,
        "kept": len(reference.table),
        "rejected": reference.rejected,
        "versions": {**ORACLE.versions, "moyopy": version("moyopy")},
    }
    metadata = {"lodestone": json.dumps(facts, sort_keys=True)}
    write_table(reference.table, path, sort_by="material_id", metadata=metadata, small=True)


def labelled_rows(decorations: list[Decoration], scales: list[float], labels: list[Label], oracle: str) -> pl.DataFrame:
    """Rows of the decorations whose label is ok, as in the file but for the formation energy."""
    rows = zip(decorations, scales, labels, strict=True)
    good = [(item, scale, label) for item, scale, label in rows if reason_of(label) == "ok"]
    described = describe([label.crystal.rounded(DECIMALS) for _, _, label in good if label.crystal is not None])
    table = described.with_columns(
        pl.Series("energy_per_atom", [label.energy_per_atom for _, _, label in good], dtype=pl.Float64).round(DECIMALS),
        pl.Series("aflow_prototype", [label for (label, _), _, _ in good], dtype=pl.String),
        pl.Series("decoration", ["-".join(elements) for (_, elements), _, _ in good], dtype=pl.String),
        pl.Series("start_scale", [scale for _, scale, _ in good], dtype=pl.Float64),
        pl.lit(oracle).alias("label_method"),
    )
    ids = pl.format("lode-{}-{}", pl.col("aflow_prototype"), pl.col("decoration")).alias("material_id")
    return table.select(ids, pl.all())


def reason_of(label: Label) -> str:
    """Why there is no row of a label, without details; ``"ok"`` if there is one."""
    if label.crystal is not None and not _is_compact(label.crystal):
        return "implausible_volume"
    return label.status.split(":")[0]


def _is_compact(crystal: Crystal) -> bool:
    return crystal.volume / len(crystal) <= LARGEST_VOLUME


def _assemble(decorations: list[Decoration], scales: list[float], labels: list[Label]) -> Reference:
    rows = labelled_rows(decorations, scales, labels, ORACLE.name)
    kept, late = drop_implausible(with_formation_energy(rows))
    reasons = Counter(map(reason_of, labels)) + late
    del reasons["ok"]
    return Reference(kept, dict(sorted(reasons.items())), len(decorations))


def estimated_volume(crystal: Crystal, elements: tuple[str, ...]) -> float:
    """Volume of the cell, Å3: from molar volumes for an element, by the data-mined lattice scheme for a compound."""
    from pymatgen.analysis.structure_prediction.volume_predictor import DLSVolumePredictor
    from pymatgen.core import Element

    if len(elements) == 1:
        return len(crystal) * float(Element(elements[0]).molar_volume) * CM3_PER_MOL
    return float(DLSVolumePredictor().predict(crystal.to_pymatgen()))


def with_formation_energy(table: pl.DataFrame) -> pl.DataFrame:
    """The table with formation energies relative to the lowest crystal of each element in it."""
    fractions = atomic_fractions(table["atomic_numbers"].to_list())
    energies = formation_energies(fractions, table["energy_per_atom"].to_numpy(), elemental_references(table))
    return table.with_columns(pl.Series("formation_energy_per_atom", energies).round(DECIMALS))


def drop_implausible(table: pl.DataFrame) -> tuple[pl.DataFrame, Counter[str]]:
    """Drop formation energies outside the plausible range, then all but the lowest of equal relaxed crystals."""
    plausible = table.filter(pl.col("formation_energy_per_atom").is_between(*FORMATION_ENERGY_RANGE))
    kept = plausible.sort("energy_per_atom", "aflow_prototype", "decoration").unique(
        ["formula_pretty", "decorated_prototype"], keep="first", maintain_order=True
    )
    lost = {"implausible_energy": len(table) - len(plausible), "relaxed_to_a_duplicate": len(plausible) - len(kept)}
    return kept, Counter(lost)
