"""Elemental reference energies and formation energies."""

from __future__ import annotations

import numpy as np
import polars as pl

from lodestone.crystals.compositions import N_ELEMENTS, weighted_sums
from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS
from lodestone.errors import LodestoneError


def elemental_references(crystals: pl.DataFrame) -> pl.DataFrame:
    """The lowest crystal of each element.

    Args:
        crystals: Columns ``material_id``, ``chemsys``, ``energy_per_atom``; all from one oracle.

    Returns:
        A table of the contract :class:`lodestone.schemas.References`, sorted by element.
    """
    elements = crystals.filter(~pl.col("chemsys").str.contains("-", literal=True))
    lowest = elements.sort("energy_per_atom", "material_id").unique("chemsys", keep="first", maintain_order=True)
    return lowest.select(pl.col("chemsys").alias("element"), "energy_per_atom", "material_id").sort("element")


def formation_energies(fractions: np.ndarray, energies: np.ndarray, references: pl.DataFrame) -> np.ndarray:
    """Formation energies relative to the elements.

    Args:
        fractions: Atomic fractions, shape ``(n, N_ELEMENTS)``.
        energies: Total energies, shape ``(n,)``, eV/atom.
        references: Table of the contract :class:`lodestone.schemas.References`.

    Returns:
        Shape ``(n,)``, eV/atom.

    Raises:
        LodestoneError: If an element has no reference.
    """
    mu = np.full(N_ELEMENTS, np.nan)
    mu[[ATOMIC_NUMBERS[symbol] for symbol in references["element"]]] = references["energy_per_atom"].to_numpy()
    missing = [SYMBOLS[z] for z in np.flatnonzero(fractions.any(axis=0) & np.isnan(mu))]
    if missing:
        raise LodestoneError(
            f"no elemental reference energy for {', '.join(missing)}",
            "add a crystal of each pure element to the snapshot, or drop these elements with snapshot.filters.elements",
        )
    return energies - weighted_sums(fractions, np.nan_to_num(mu))
