"""Verify the chosen candidates: from labels to verdicts against the hull."""

from __future__ import annotations

from collections import Counter

import polars as pl

from lodestone.crystals.compositions import atomic_fractions
from lodestone.crystals.encoding import describe
from lodestone.discovery.state import RoundState
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Label
from lodestone.schemas import VIEW_COLUMNS
from lodestone.stability.hull import ConvexHull, describe_decomposition
from lodestone.stability.references import formation_energies

_PREDICTED = [
    "formation_energy_per_atom_pred",
    VIEW_COLUMNS,
    "formation_energy_per_atom_epistemic_std",
    "formation_energy_per_atom_std",
    "formation_energy_per_atom_lower",
    "formation_energy_per_atom_upper",
    "out_of_distribution",
    "energy_above_hull_pred",
    "stability_probability",
]


def refuse_if_all_failed(name: str, labels: list[Label]) -> None:
    """Stop where not one candidate could be labelled: then the oracle is at fault, not the candidates."""
    if not any(label.ok for label in labels):
        reasons = Counter(label.status for label in labels)
        told = ", ".join(f"{count} x {reason}" for reason, count in reasons.most_common(3))
        raise LodestoneError(
            f"{name}: the oracle failed on all {len(labels)} candidates ({told})",
            "check oracle.max_steps, oracle.fmax and the installation of the oracle; failures are kept in the "
            "label store, so delete it after repairing the oracle",
        )


def verify(name: str, acquired: pl.DataFrame, labels: list[Label], state: RoundState, hull: ConvexHull) -> pl.DataFrame:
    """The table of verifications, rejected candidates included."""
    asked = acquired.select(
        "material_id",
        pl.lit(name).alias("round"),
        "acquired_by",
        "generator",
        "provenance",
        "formula_pretty",
        "chemsys",
        *_PREDICTED,
    ).with_columns(
        pl.Series("status", [label.status for label in labels]),
        pl.Series("n_steps", [label.n_steps for label in labels], dtype=pl.Int32),
    )
    relaxed = [label.crystal for label in labels if label.crystal is not None]
    found = (
        describe(relaxed)
        .drop("formula_pretty", "chemsys", "nsites")
        .with_columns(
            pl.Series("material_id", [i for i, label in zip(acquired["material_id"], labels, strict=True) if label.ok]),
            pl.Series("energy_per_atom", [label.energy_per_atom for label in labels if label.ok]),
        )
    )
    found = _against_hull(found, state, hull)
    table = asked.join(found, on="material_id", how="left", maintain_order="left")
    return table.with_columns(pl.col("is_new", "is_stable").fill_null(value=False))


def _against_hull(found: pl.DataFrame, state: RoundState, hull: ConvexHull) -> pl.DataFrame:
    fractions = atomic_fractions(found["atomic_numbers"].to_list())
    energies = formation_energies(fractions, found["energy_per_atom"].to_numpy(), state.references)
    formulas = state.crystals["formula_pretty"].to_list()
    known = state.crystals["decorated_prototype"].to_list()
    distance = hull.energies_above_hull(fractions, energies)
    return (
        found.with_columns(
            pl.Series("formation_energy_per_atom", energies),
            pl.Series("energy_above_hull", distance),
            pl.Series(
                "decomposition",
                [describe_decomposition(decomposition, formulas) for decomposition in hull.decompositions(fractions)],
            ),
            pl.col("material_id")
            .sort_by("energy_per_atom", "material_id")
            .first()
            .over("decorated_prototype")
            .alias("lowest"),
        )
        .with_columns(
            is_new=~pl.col("decorated_prototype").is_in(known) & (pl.col("material_id") == pl.col("lowest")),
        )
        .with_columns(is_stable=pl.col("is_new") & (pl.col("energy_above_hull") <= 0))
        .drop("lowest")
    )
