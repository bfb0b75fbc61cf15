"""Subsets of a table of crystals by split."""

from __future__ import annotations

import polars as pl

HELD_OUT = ("validation", "test")


def subset(crystals: pl.DataFrame, *splits: str) -> pl.DataFrame:
    """The crystals of some splits, sorted by ``material_id``."""
    return crystals.filter(pl.col("split").is_in(splits)).sort("material_id")
