"""Detect energies in eV per cell where eV per atom is expected: from the whole table, since small cells look innocent.

Energies per atom follow composition: a straight line in the atomic fractions explains nine tenths of them. Energies per
cell follow it only once they are divided by the number of atoms. Which of the two fits better decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from lodestone.crystals.compositions import atomic_fractions
from lodestone.crystals.elements import SYMBOLS
from lodestone.errors import LodestoneError

Bounds = tuple[float, float]
# On 80,829 crystals of the Materials Project the line explains 0.90 of the formation energies, and 0.45 of them divided
# by the number of atoms; of energies per cell, 0.57 as they are and 0.90 divided. In single systems of intermetallics
# it explains little either way. With these thresholds none of 840 sampled systems is refused wrongly.
_WELL = 0.6
_LEFT = 0.6  # the better line leaves at most this share of what the other one leaves unexplained
_ROWS_PER_ELEMENT = 3
_ENOUGH = 100  # rows that are evidence enough without any row outside the range
_MANY = 0.1  # share of rows outside the range that division brings back
_FEW_ROWS = 5
_OUTLIER = 50.0  # times the median


@dataclass(frozen=True)
class Evidence:
    """Evidence in a table for the unit of its energies.

    Attributes:
        n: Rows with an energy.
        n_elements: Elements in them.
        n_outside: Rows outside the allowed range that division by ``nsites`` would bring back.
        fit: Share of the energies (0 to 1) that composition explains.
        fit_divided: The same after division by ``nsites``.
    """

    n: int
    n_elements: int
    n_outside: int
    fit: float
    fit_divided: float

    @property
    def per_cell(self) -> bool:
        """Whether the energies are per cell."""
        enough = self.n >= _ROWS_PER_ELEMENT * self.n_elements and (self.n_outside > 0 or self.n >= _ENOUGH)
        better = 1 - self.fit_divided <= _LEFT * (1 - self.fit)
        follows = enough and self.fit_divided >= _WELL and better
        outside = self.n_outside >= max(_FEW_ROWS, _MANY * self.n) and self.fit_divided >= self.fit
        return follows or outside

    def __str__(self) -> str:
        outside = f"; {self.n_outside} of {self.n} rows are outside the allowed range, and inside it when divided"
        follows = f"composition explains {self.fit:.0%} of them as they are, {self.fit_divided:.0%} divided by nsites"
        return follows + (outside if self.n_outside else "")


def refuse_energies_per_cell(table: pl.DataFrame, formation_energy: Bounds) -> None:
    """Refuse a table whose energies are per cell; single rows are left to the row checks.

    Args:
        table: Contract :class:`lodestone.schemas.Snapshot`.
        formation_energy: Allowed range, eV/atom.

    Raises:
        LodestoneError: Names the column and the evidence.
    """
    ranges: dict[str, Bounds | None] = {"formation_energy_per_atom": formation_energy, "energy_per_atom": None}
    for name, bounds in ranges.items():
        evidence = weigh(table, name, bounds)
        if evidence is not None and evidence.per_cell:
            raise LodestoneError(
                f"{name} of the snapshot looks like eV per cell: {evidence}",
                f"eV per atom is expected: divide {name} by nsites where the snapshot is made",
            )


def weigh(table: pl.DataFrame, name: str, bounds: Bounds | None) -> Evidence | None:
    """Evidence for the unit of one column, or ``None`` where too few rows have a value."""
    numbers, energy = pl.col("atomic_numbers"), pl.col(name)
    known = (numbers.list.len() > 0) & (numbers.list.min() > 0) & (numbers.list.max() < len(SYMBOLS))
    rows = table.filter(known & energy.is_finite() & (energy != 0))
    rows = rows.filter(energy.abs() <= _OUTLIER * energy.abs().median())
    if len(rows) < _FEW_ROWS:
        return None
    fractions = atomic_fractions(rows["atomic_numbers"].to_list())
    fractions = fractions[:, fractions.any(axis=0)]
    given, sites = rows[name].to_numpy(), rows["atomic_numbers"].list.len().to_numpy()
    low, high = bounds or (-np.inf, np.inf)
    outside = ((given < low) | (given > high)) & (given / sites >= low) & (given / sites <= high)
    fits = [_explained(fractions, values) for values in (given, given / sites)]
    return Evidence(len(rows), fractions.shape[1], int(outside.sum()), fits[0], fits[1])


def _explained(fractions: np.ndarray, energies: np.ndarray) -> float:
    """Share of the sum of squares that the best line through the elements explains."""
    slopes, *_ = np.linalg.lstsq(fractions.T @ fractions, fractions.T @ energies, rcond=None)
    return float(1 - np.square(energies - fractions @ slopes).sum() / np.square(energies).sum())
