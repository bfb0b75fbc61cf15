"""Put a snapshot on the scale of the oracle: one energy scale, one set of references, one hull.

Energies of different functionals or correction schemes must not be mixed on one hull. The oracle will label the
candidates, so it also labels the crystals they compete with, unless the snapshot already has its labels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import fsum
from typing import Any

import numpy as np
import polars as pl

from lodestone.crystals.compositions import atomic_fractions, fractions_of_formulas
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import decode, describe
from lodestone.curation.difference import Difference
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Label, Labeller
from lodestone.schemas import Labelled, Phases
from lodestone.stability.hull import ConvexHull
from lodestone.stability.references import elemental_references, formation_energies

LOWER = 0.001  # eV/atom: crystals whose energies differ by less may be one crystal, relaxed twice
ElementCrystals = Callable[[Sequence[str]], dict[str, Crystal]]


@dataclass(frozen=True)
class LabelledSnapshot:
    """A snapshot on the oracle's scale.

    Attributes:
        crystals: Contract :class:`lodestone.schemas.Labelled`.
        references: Contract :class:`lodestone.schemas.References`.
        rejections: Contract :class:`lodestone.schemas.Rejections`.
        metrics: Counts, and how the oracle's labels compare with those of the source.
        phases: Competing phases without structures, contract :class:`lodestone.schemas.Phases`.
        difference: What is added to the oracle's energies; nothing on its own scale.
    """

    crystals: pl.DataFrame
    references: pl.DataFrame
    rejections: pl.DataFrame
    metrics: dict[str, Any]
    phases: pl.DataFrame = field(default_factory=Phases.empty)
    difference: Difference = field(default_factory=Difference)


def label_snapshot(
    snapshot: pl.DataFrame, oracle_name: str, label: Labeller, element_crystals: ElementCrystals
) -> LabelledSnapshot:
    """Label every crystal of a validated snapshot with the oracle.

    Args:
        snapshot: Contract :class:`lodestone.schemas.Snapshot`.
        oracle_name: Rows whose ``label_method`` is this keep their energies and are not computed again.
        label: Labels crystals.
        element_crystals: Returns crystals of pure elements by identifier, so that every reference is a minimum.

    Raises:
        LodestoneError: If the oracle refuses every crystal, or an element has no reference.
    """
    rejected: list[tuple[str, str, str]] = []
    if (snapshot["label_method"] == oracle_name).all() and snapshot["energy_per_atom"].null_count() == 0:
        known = snapshot.with_columns(pl.lit(None, dtype=pl.Float64).alias("formation_energy_per_atom"))
    else:
        known, rejected = _relabel(snapshot, label(decode(snapshot)))
        if len(known) == 0:
            raise LodestoneError(
                f"the oracle refused all {len(snapshot)} crystals of the snapshot: {_summary(rejected)}",
                "check the structures of the snapshot and the parameters of the oracle",
            )
    added = _lower_elements(known, label, element_crystals)
    known = pl.concat([known, added], how="diagonal") if len(added) else known
    references = elemental_references(known)
    crystals = on_one_hull(known, references)
    metrics = {
        "n_in": len(snapshot),
        "n_labelled": len(known),
        "n_element_crystals_added": len(added),
        "rejected": _reasons(rejected),
        "n_elements": len(references),
        "n_stable": int((crystals["energy_above_hull"] == 0).sum()),
        "oracle_vs_source": compare_with_source(crystals),
    }
    rejections = pl.DataFrame(
        rejected, schema=dict.fromkeys(["material_id", "formula_pretty", "reason"], pl.String), orient="row"
    )
    return LabelledSnapshot(crystals, references, rejections, metrics)


def compare_with_source(crystals: pl.DataFrame) -> dict[str, Any] | None:
    """How far the oracle's formation energies are from the snapshot's own, or ``None`` where it gave none."""
    both = crystals.drop_nulls("source_formation_energy_per_atom").filter(pl.col("origin") == "snapshot")
    difference = (both["formation_energy_per_atom"] - both["source_formation_energy_per_atom"]).to_numpy()
    if len(difference) == 0:
        return None
    return {
        "n": len(difference),
        "mae": fsum(np.abs(difference)) / len(difference),
        "bias": fsum(difference) / len(difference),
        "median_absolute": float(np.median(np.abs(difference))),
    }


def _relabel(snapshot: pl.DataFrame, labels: list[Label]) -> tuple[pl.DataFrame, list[tuple[str, str, str]]]:
    rejected = [
        (material_id, formula, label.status)
        for (material_id, formula), label in zip(
            snapshot.select("material_id", "formula_pretty").iter_rows(), labels, strict=True
        )
        if not label.ok
    ]
    kept = snapshot.filter(pl.Series([label.ok for label in labels]))
    table = _from_labels(kept["material_id"].to_list(), [label for label in labels if label.ok])
    return table.hstack(kept.select("formation_energy_per_atom", "created_at")), rejected


def _reasons(rejected: list[tuple[str, str, str]]) -> dict[str, int]:
    return dict(sorted(Counter(reason.split(":")[0] for _, _, reason in rejected).items()))


def _summary(rejected: list[tuple[str, str, str]]) -> str:
    counts = ", ".join(f"{count} {reason}" for reason, count in _reasons(rejected).items())
    return f"{counts} (the first, {rejected[0][0]!r}: {rejected[0][2]})"


def _lower_elements(known: pl.DataFrame, label: Labeller, element_crystals: ElementCrystals) -> pl.DataFrame:
    """Crystals of elements that are lower in energy than all known ones, or whose element is missing.

    A snapshot need not hold the ground state of an element. The usual crystals of each are tried, unless one of the
    same decorated prototype is known.
    """
    proposals = element_crystals(sorted(_elements(known)))
    known_prototypes = known["decorated_prototype"].implode()
    new = describe(list(proposals.values())).with_columns(pl.Series("material_id", list(proposals), dtype=pl.String))
    names = new.filter(~pl.col("decorated_prototype").is_in(known_prototypes))["material_id"].to_list()
    labels = label([proposals[name] for name in names])
    good = [(name, result) for name, result in zip(names, labels, strict=True) if result.ok]
    added = _from_labels([name for name, _ in good], [result for _, result in good]).with_columns(
        origin=pl.lit("reference")
    )
    lowest = known.group_by("chemsys").agg(pl.col("energy_per_atom").min().alias("lowest"))
    is_lower = pl.col("energy_per_atom") < pl.col("lowest").fill_null(float("inf")) - LOWER
    return added.join(lowest, on="chemsys", how="left", maintain_order="left").filter(is_lower).drop("lowest")


def _from_labels(ids: list[str], labels: list[Label]) -> pl.DataFrame:
    described = describe([label.crystal for label in labels if label.crystal is not None])
    energies = pl.Series("energy_per_atom", [label.energy_per_atom for label in labels], dtype=pl.Float64)
    return described.with_columns(energies, pl.Series("material_id", ids, dtype=pl.String))


def on_one_hull(known: pl.DataFrame, references: pl.DataFrame, phases: pl.DataFrame | None = None) -> pl.DataFrame:
    """Crystals of one kind of total energy, with formation energies and hull distances that follow from them.

    Args:
        known: Crystals with ``energy_per_atom``; their ``formation_energy_per_atom`` is the source's own.
        references: Contract :class:`lodestone.schemas.References`.
        phases: Contract :class:`lodestone.schemas.Phases`.

    Returns:
        A table of the contract :class:`lodestone.schemas.Labelled`.
    """
    fractions = atomic_fractions(known["atomic_numbers"].to_list())
    energies = formation_energies(fractions, known["energy_per_atom"].to_numpy(), references)
    origin = pl.col("origin").fill_null("snapshot") if "origin" in known.columns else pl.lit("snapshot")
    renamed = known.drop("energy_above_hull", strict=False).rename(
        {"formation_energy_per_atom": "source_formation_energy_per_atom"}
    )
    return renamed.with_columns(
        origin.alias("origin"), pl.lit("train").alias("split"), pl.Series("formation_energy_per_atom", energies)
    ).select(energy_above_hull(renamed, energies, phases), *(set(Labelled.to_schema().columns) - {"energy_above_hull"}))


def energy_above_hull(crystals: pl.DataFrame, energies: np.ndarray, phases: pl.DataFrame | None = None) -> pl.Series:
    """Distance of each crystal to the hull of all of them and of further phases, never negative."""
    return pl.Series("energy_above_hull", hull_of(crystals, energies, phases).distances[: len(crystals)])


def hull_of(crystals: pl.DataFrame, energies: np.ndarray, phases: pl.DataFrame | None = None) -> ConvexHull:
    """The hull of crystals and, numbered after them, of further phases.

    Args:
        crystals: Column ``atomic_numbers``.
        energies: Their formation energies, shape ``(n,)``, eV/atom.
        phases: Contract :class:`lodestone.schemas.Phases`.
    """
    fractions = atomic_fractions(crystals["atomic_numbers"].to_list())
    if phases is not None and len(phases):
        fractions = np.vstack([fractions, fractions_of_formulas(phases["formula_pretty"])])
        energies = np.concatenate([energies, phases["formation_energy_per_atom"].to_numpy()])
    return ConvexHull(fractions, energies)


def _elements(known: pl.DataFrame) -> set[str]:
    return set(known["chemsys"].str.split("-").explode().unique())
