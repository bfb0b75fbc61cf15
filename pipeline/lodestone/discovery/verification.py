"""Verify the chosen candidates: from labels to verdicts against the hull."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from lodestone.crystals.compositions import atomic_fractions
from lodestone.crystals.encoding import describe
from lodestone.discovery.duplicates import same_as
from lodestone.discovery.state import VERDICTS, RoundState
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Label
from lodestone.schemas import VIEW_COLUMNS
from lodestone.stability.density import compounds_within
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
    "incomplete_probability",
]

ENOUGH = 10  # with so many candidates and no success, the oracle is at fault, not the candidates


def refuse_if_all_failed(name: str, labels: Sequence[Label], enough: int = ENOUGH) -> None:
    """Stop if none of many candidates could be labelled: then the oracle is at fault, not the candidates.

    Raises:
        LodestoneError: With the most common reasons.
    """
    if len(labels) >= enough and not any(label.ok for label in labels):
        reasons = Counter(label.status for label in labels)
        summary = ", ".join(f"{count} x {reason}" for reason, count in reasons.most_common(3))
        raise LodestoneError(
            f"{name}: the oracle failed on all {len(labels)} candidates ({summary})",
            "check oracle.max_steps, oracle.fmax and the installation of the oracle; failures are kept in the "
            "label store, so delete it after repairing the oracle",
        )


def verify(
    name: str,
    acquired: pl.DataFrame,
    labels: Sequence[Label],
    state: RoundState,
    hull: ConvexHull,
    *,
    plausible: tuple[float, float] = (-10.0, 10.0),
    tolerance: float = 0.0,
    depth: tuple[float, float] = (0.0, float("inf")),
) -> pl.DataFrame:
    """The table of verifications, rejected candidates included.

    Args:
        name: Name of the round.
        acquired: Candidates given to the oracle.
        labels: The oracle's labels, in the same order.
        state: Where the round started.
        hull: Hull of the known crystals.
        plausible: Range of formation energies, eV/atom; values outside are artifacts of the oracle and rejected.
        tolerance: How far below the best known crystal of its formula a crystal must lie to count as stable, eV/atom.
        depth: How far below the hull a discovery lies, eV/atom: what lies less is undecided within the oracle's error,
            more shows that phases are missing there. What another crystal of the round pushes off the hull, such as a
            lower one of its formula, is no discovery either.
    """
    judged = [_judged(label, state.references, plausible) for label in labels]
    candidates = acquired.select(
        "material_id",
        pl.lit(name).alias("round"),
        "acquired_by",
        "generator",
        "provenance",
        "formula_pretty",
        "chemsys",
        *_PREDICTED,
    ).with_columns(
        pl.Series("status", [label.status for label in judged], dtype=pl.String),
        pl.Series("n_steps", [label.n_steps for label in judged], dtype=pl.Int32),
        pl.Series("n_competing_phases", compounds_within(acquired["chemsys"], state.compounds()), dtype=pl.Int32),
    )
    good = {name: label for name, label in zip(acquired["material_id"], judged, strict=True) if label.ok}
    relaxed = describe([label.crystal for label in good.values() if label.crystal is not None]).with_columns(
        pl.Series("material_id", list(good), dtype=pl.String),
        pl.Series("energy_per_atom", [label.energy_per_atom for label in good.values()], dtype=pl.Float64),
    )
    relaxed = _with_verdicts(_against_hull(relaxed, state, hull, tolerance), *depth)
    relaxed = relaxed.drop("formula_pretty", "chemsys", "nsites")
    table = candidates.join(relaxed, on="material_id", how="left", maintain_order="left")
    return table.with_columns(pl.col("is_new", *VERDICTS).fill_null(value=False))


def _judged(label: Label, references: pl.DataFrame, plausible: tuple[float, float]) -> Label:
    """The label, or one with status ``implausible`` if its energy is out of range."""
    if label.crystal is None or label.energy_per_atom is None:
        return label
    fractions = atomic_fractions([label.crystal.atomic_numbers])
    (energy,) = formation_energies(fractions, np.array([label.energy_per_atom]), references)
    if plausible[0] <= energy <= plausible[1]:
        return label
    status = f"implausible: formation energy of {energy:.3f} eV/atom"
    return replace(label, status=status, energy_per_atom=None, crystal=None)


def _against_hull(relaxed: pl.DataFrame, state: RoundState, hull: ConvexHull, tolerance: float) -> pl.DataFrame:
    fractions = atomic_fractions(relaxed["atomic_numbers"].to_list())
    energies = formation_energies(fractions, relaxed["energy_per_atom"].to_numpy(), state.references)
    known = state.compounds()
    formulas = known["formula_pretty"].to_list()
    decompositions = [describe_decomposition(phases, formulas) for phases in hull.decompositions(fractions)]
    twins = same_as(relaxed, state.crystals)
    new = np.array([name not in twins for name in relaxed["material_id"]], dtype=bool)
    after = hull.with_phases(fractions[new], energies[new])
    return relaxed.with_columns(
        pl.Series("formation_energy_per_atom", energies, dtype=pl.Float64),
        pl.Series("energy_above_hull", hull.energies_above_hull(fractions, energies), dtype=pl.Float64),
        pl.Series("decomposition", decompositions, dtype=pl.String),
        pl.Series("same_as", [twins.get(name) for name in relaxed["material_id"]], dtype=pl.String),
        pl.Series("stable_below", _limits(relaxed, known, hull, tolerance), dtype=pl.Float64),
        pl.Series("overtaken", after.energies_above_hull(fractions, energies) > 0, dtype=pl.Boolean),
    )


def _with_verdicts(relaxed: pl.DataFrame, min_depth: float, max_depth: float) -> pl.DataFrame:
    """Whether each crystal is new, a hit, a discovery, or so deep that phases must be missing there."""
    is_new = pl.col("same_as").is_null()
    below = is_new & (pl.col("energy_above_hull") <= pl.col("stable_below"))
    deep = pl.col("energy_above_hull") < -max_depth
    decided = (pl.col("energy_above_hull") <= -min_depth) & ~pl.col("overtaken")
    verdicts = dict(zip(VERDICTS, (below & ~deep, below & decided & ~deep, below & deep), strict=True))
    return relaxed.with_columns(is_new=is_new, **verdicts).drop("overtaken")


def _limits(relaxed: pl.DataFrame, known: pl.DataFrame, hull: ConvexHull, tolerance: float) -> list[float]:
    """Largest energy above hull at which each counts as stable: 0, or below the best known phase of its formula."""
    distances = known.with_columns(pl.Series("energy_above_hull", hull.distances))
    best = dict(distances.group_by("formula_pretty").agg(pl.col("energy_above_hull").min()).iter_rows())
    return [min(0.0, best[formula] - tolerance) if formula in best else 0.0 for formula in relaxed["formula_pretty"]]
