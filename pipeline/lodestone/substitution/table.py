"""The table of substitution probabilities that a setting names."""

from __future__ import annotations

import numpy as np
import polars as pl

from lodestone.config.registry import PROBABILITIES


def probability_table(name: str, known: pl.DataFrame, highest: float) -> np.ndarray:
    """How likely one element replaces another, by a table of the registry.

    Args:
        name: As in `params.yaml`.
        known: Known crystals (contract :class:`lodestone.schemas.Crystals`); test crystals are left out.
        highest: Crystals further above the hull are not learned from, eV/atom.

    Returns:
        Shape ``(N, N)``, indexed by atomic number; entry ``[new, old]``; 0 on the diagonal.
    """
    near = known.filter(pl.col("energy_above_hull") <= highest)
    if "split" in near.columns:
        near = near.filter(pl.col("split") != "test")
    table: np.ndarray = PROBABILITIES.make(name, near)
    return table
