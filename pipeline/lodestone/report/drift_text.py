"""The difference between two snapshots in a few lines of text; see :mod:`lodestone.curation.drift`."""

from __future__ import annotations

import polars as pl

from lodestone.curation.drift import Drift
from lodestone.report.markup import NOTHING

WARNING = (
    "The two snapshots hold energies of different kinds. Changes of energy and flips of stability are mostly "
    "differences of the methods, not corrections of the data."
)
_LARGEST = 5


def counts(drift: Drift) -> list[tuple[str, int, str]]:
    """What changed: label, number of crystals, and a remark."""
    status = {name: drift.count(pl.col("presence") == name) for name in ("added", "removed")}
    structures = {kind: drift.count(pl.col("structure") == kind) for kind in ("cell", "prototype", "composition")}
    remark = ", ".join(f"{kind} {number:,}" for kind, number in structures.items() if number)
    return [
        ("added", status["added"], ""),
        ("removed", status["removed"], ""),
        ("kept", drift.n_old - status["removed"], ""),
        ("energy changed", drift.count(pl.col("energy_changed")), f"beyond {1e3 * drift.tolerance:g} meV/atom"),
        ("structure changed", sum(structures.values()), remark),
        ("became stable", drift.count(pl.col("flip") == "became stable"), _stability(drift)),
        ("became unstable", drift.count(pl.col("flip") == "became unstable"), _stability(drift)),
    ]


def drift_summary(drift: Drift, old: str, new: str) -> str:
    """The difference as text for a terminal.

    Args:
        drift: The difference.
        old: Name of the old snapshot.
        new: Name of the new one.
    """
    sides = [("old", old, drift.n_old, drift.kinds[0]), ("new", new, drift.n_new, drift.kinds[1])]
    paragraphs = ["\n".join(f"{side}  {name}: {n:,} crystals, {kind}" for side, name, n, kind in sides)]
    if drift.mixed:
        paragraphs.append(f"WARNING: {WARNING}")
    paragraphs.append("\n".join(f"  {label:<18}{n:>9,}  {remark}".rstrip() for label, n, remark in counts(drift)))
    paragraphs += [text for text in (_largest(drift), _systems(drift)) if text]
    return "\n\n".join(paragraphs)


def _stability(drift: Drift) -> str:
    return f"of {drift.n_stability:,} with a hull distance in both"


def _largest(drift: Drift) -> str:
    rows = drift.crystals.filter(pl.col("energy_changed")).head(_LARGEST).iter_rows(named=True)
    lines = [
        f"  {row['material_id']:<16}{row['formula_pretty']:<20}"
        f"{_energy(row['energy_old']):>9}{_energy(row['energy_new']):>9}{_energy(row['energy_change']):>9}"
        for row in rows
    ]
    return "\n".join([f"Largest changes of {drift.energy} (eV/atom: old, new, change)", *lines]) if lines else ""


def _systems(drift: Drift) -> str:
    flips = pl.col("n_became_stable") + pl.col("n_became_unstable")
    rows = drift.systems.filter(flips > 0).head(_LARGEST).iter_rows(named=True)
    lines = [f"  {row['chemsys']:<20}{row['n_became_stable']:>6}{row['n_became_unstable']:>6}" for row in rows]
    return "\n".join(["Systems with most flips (became stable, unstable)", *lines]) if lines else ""


def _energy(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"
