"""Energies that a file leaves to us: formation energies from total energies, and hull distances from those.

All rows of the file count, before any filter, but for those that cannot be trusted: an energy that is no number, or an
identifier that several rows share, must not move the references or the hull of the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from lodestone.crystals.compositions import fractions_of_formulas, weighted_sums
from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS
from lodestone.errors import LodestoneError
from lodestone.stability.hull import ConvexHull
from lodestone.stability.references import elemental_references

TOTAL, FORMATION, HULL = "energy_per_atom", "formation_energy_per_atom", "energy_above_hull"
LARGEST = 10.0  # eV/atom; a formation energy beyond is a fault, which validation tells, and is kept off the hull


def lacks_energies(outline: pl.DataFrame) -> bool:
    """Whether formation energies or hull distances are missing in every row, and can be computed."""
    silent = {name: outline[name].is_null().all() for name in (TOTAL, FORMATION, HULL)}
    return bool(silent[FORMATION] and not silent[TOTAL]) or bool(silent[HULL] and not silent[FORMATION])


def complete_energies(outline: pl.DataFrame, references: Mapping[str, float]) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Compute what no row of a file says.

    Args:
        outline: Columns of :data:`lodestone.snapshot.source.OUTLINE`; ``composition``, the reduced formula of the
            structure (and not what the row says of itself); and ``fault``, null in rows to be trusted.
        references: Total energies of elements, eV/atom; those of other elements are of their lowest crystal in the
            outline.

    Returns:
        The outline with formation energies and hull distances, and what the provenance should say of them.

    Raises:
        LodestoneError: If an element has no reference.
    """
    fractions = fractions_of_formulas(outline["composition"])
    told: dict[str, Any] = {}
    if outline[FORMATION].is_null().all() and not outline[TOTAL].is_null().all():
        found = _references(outline, references)
        outline = outline.with_columns(_formation_energies(outline, fractions, found))
        told["elemental_references"] = found
    if outline[HULL].is_null().all() and not outline[FORMATION].is_null().all():
        outline = outline.with_columns(_hull_distances(outline, fractions))
        told["energy_above_hull"] = "computed from all rows of the file"
    return outline, told


def checked_references(references: Mapping[str, float], where: str) -> dict[str, float]:
    """References as they are, if they are energies of elements.

    Raises:
        LodestoneError: Names the element that does not exist, or whose energy is no finite number.
    """
    for symbol, energy in references.items():
        if symbol not in ATOMIC_NUMBERS:
            raise LodestoneError(f"{where}: {symbol!r} is no element", "write element symbols like Na ('No' in quotes)")
        if not np.isfinite(energy):
            raise LodestoneError(f"{where}: the energy of {symbol} is {energy}", "give a finite energy in eV/atom")
    return dict(references)


def _usable(outline: pl.DataFrame, energy: str) -> pl.Series:
    return outline.select((pl.col("fault").is_null() & pl.col(energy).is_finite()).fill_null(False)).to_series()


def _references(outline: pl.DataFrame, stated: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    usable = outline.filter(_usable(outline, TOTAL)).with_columns(_systems().alias("chemsys"))
    lowest = elemental_references(usable)
    found = {element: {TOTAL: energy, "material_id": name} for element, energy, name in lowest.iter_rows()}
    found |= {element: {TOTAL: energy, "material_id": None} for element, energy in stated.items()}
    needed = set(usable["chemsys"].str.split("-").explode(empty_as_null=False))
    if missing := sorted(needed - set(found)):
        raise LodestoneError(
            f"the file holds total energies, but there is no elemental reference for {', '.join(missing)}",
            "add a crystal of each pure element to the file, or a table references.csv (element,energy_per_atom) to "
            "the folder or zip, or set snapshot.elemental_references in params.yaml; all by the same method",
        )
    return {element: found[element] for element in sorted(needed)}


def _systems() -> pl.Expr:
    return pl.col("composition").str.extract_all("[A-Z][a-z]?").list.unique().list.sort().list.join("-")


def _formation_energies(outline: pl.DataFrame, fractions: np.ndarray, found: Mapping[str, Any]) -> pl.Series:
    mu = np.array([found.get(symbol, {}).get(TOTAL, np.nan) for symbol in SYMBOLS])
    known = ~fractions[:, np.isnan(mu)].any(axis=1)  # all but rows whose own energy is no number
    energies = outline[TOTAL].fill_null(np.nan).to_numpy()
    values = np.where(known, energies - weighted_sums(fractions, np.nan_to_num(mu)), np.nan)
    return _where_known(FORMATION, values, outline[TOTAL])


def _hull_distances(outline: pl.DataFrame, fractions: np.ndarray) -> pl.Series:
    energies = outline[FORMATION].fill_null(np.nan).to_numpy()
    phases = _usable(outline, FORMATION).to_numpy() & (np.abs(energies) <= LARGEST)
    hull = ConvexHull(fractions[phases], energies[phases])
    finite = np.isfinite(energies)
    values = np.full(len(outline), np.nan)
    values[finite] = hull.energies_above_hull(fractions[finite], energies[finite])
    return _where_known(HULL, values, outline[FORMATION])


def _where_known(name: str, values: np.ndarray, given: pl.Series) -> pl.Series:
    """As a column, empty where the energy that it is computed from is."""
    return pl.select(pl.when(given.is_not_null()).then(pl.Series(name, values))).to_series().alias(name)
