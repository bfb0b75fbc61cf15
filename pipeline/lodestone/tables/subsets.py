"""Parts of a table of crystals by split."""

from __future__ import annotations

import polars as pl

HELD_OUT = ("validation", "test")


def subset(crystals: pl.DataFrame, *parts: str) -> pl.DataFrame:
    """The crystals of some parts of the split, sorted by ``material_id``."""
    return crystals.filter(pl.col("split").is_in(parts)).sort("material_id")
