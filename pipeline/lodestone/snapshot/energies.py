"""Energies that a file lacks: formation energies from total energies, and hull distances from those.

All rows of the file count, before any filter, except those that cannot be trusted: an energy that is not a number, or
an identifier that several rows share, must not move the references or the hull of the others.
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
LARGEST = 10.0  # eV/atom; a larger formation energy is a fault, which validation reports; it is kept off the hull


def lacks_energies(outline: pl.DataFrame) -> bool:
    """Whether formation energies or hull distances are missing in every row, and can be computed."""
    silent = {name: outline[name].is_null().all() for name in (TOTAL, FORMATION, HULL)}
    return bool(silent[FORMATION] and not silent[TOTAL]) or bool(silent[HULL] and not silent[FORMATION])


def complete_energies(outline: pl.DataFrame, references: Mapping[str, float]) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Compute the energies that no row of a file states.

    Args:
        outline: Columns of :data:`lodestone.snapshot.source.OUTLINE`; ``composition``, the reduced formula of the
            structure (not the one the row states); and ``fault``, null in rows that can be trusted.
        references: Total energies of elements, eV/atom; for any other element, its lowest crystal in the outline is the
            reference.

    Returns:
        The outline with formation energies and hull distances, and what the provenance records about them.

    Raises:
        LodestoneError: If an element has no reference.
    """
    fractions = fractions_of_formulas(outline["composition"])
    computed: dict[str, Any] = {}
    if outline[FORMATION].is_null().all() and not outline[TOTAL].is_null().all():
        elemental = _references(outline, references)
        outline = outline.with_columns(_formation_energies(outline, fractions, elemental))
        computed["elemental_references"] = elemental
    if outline[HULL].is_null().all() and not outline[FORMATION].is_null().all():
        outline = outline.with_columns(_hull_distances(outline, fractions))
        computed["energy_above_hull"] = "computed from all rows of the file"
    return outline, computed


def checked_references(references: Mapping[str, float], where: str) -> dict[str, float]:
    """The references unchanged, if all are finite energies of known elements.

    Raises:
        LodestoneError: Names the element that does not exist, or whose energy is not finite.
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
    references = {element: {TOTAL: energy, "material_id": name} for element, energy, name in lowest.iter_rows()}
    references |= {element: {TOTAL: energy, "material_id": None} for element, energy in stated.items()}
    needed = set(usable["chemsys"].str.split("-").explode(empty_as_null=False))
    if missing := sorted(needed - set(references)):
        raise LodestoneError(
            f"the file holds total energies, but there is no elemental reference for {', '.join(missing)}",
            "add a crystal of each pure element to the file, or a table references.csv (element,energy_per_atom) to "
            "the folder or zip, or set snapshot.elemental_references in params.yaml; all by the same method",
        )
    return {element: references[element] for element in sorted(needed)}


def _systems() -> pl.Expr:
    return pl.col("composition").str.extract_all("[A-Z][a-z]?").list.unique().list.sort().list.join("-")


def _formation_energies(outline: pl.DataFrame, fractions: np.ndarray, references: Mapping[str, Any]) -> pl.Series:
    mu = np.array([references.get(symbol, {}).get(TOTAL, np.nan) for symbol in SYMBOLS])
    covered = ~fractions[:, np.isnan(mu)].any(axis=1)  # every row but those whose own energy is not a number
    energies = outline[TOTAL].fill_null(np.nan).to_numpy()
    values = np.where(covered, energies - weighted_sums(fractions, np.nan_to_num(mu)), np.nan)
    return _nullable(FORMATION, values, outline[TOTAL])


def _hull_distances(outline: pl.DataFrame, fractions: np.ndarray) -> pl.Series:
    energies = outline[FORMATION].fill_null(np.nan).to_numpy()
    phases = _usable(outline, FORMATION).to_numpy() & (np.abs(energies) <= LARGEST)
    hull = ConvexHull(fractions[phases], energies[phases])
    finite = np.isfinite(energies)
    values = np.full(len(outline), np.nan)
    values[finite] = hull.energies_above_hull(fractions[finite], energies[finite])
    return _nullable(HULL, values, outline[FORMATION])


def _nullable(name: str, values: np.ndarray, inputs: pl.Series) -> pl.Series:
    """The values as a column, null where the energy they are computed from is null."""
    return pl.select(pl.when(inputs.is_not_null()).then(pl.Series(name, values))).to_series().alias(name)
