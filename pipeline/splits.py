"""Deal crystals to train, validation and test, once and for all."""

from __future__ import annotations

import hashlib

import polars as pl

from pipeline.errors import LodestoneError
from pipeline.params import SplitParams

_KEYS = {"formula": "formula_pretty", "chemsys": "chemsys"}
_RESOLUTION = 10_000


def split_of(key: str, params: SplitParams) -> str:
    """Part of the data that a formula or chemical system belongs to, by its MD5 hash (GNoME's rule).

    The hash knows no other crystal, so the test set is the same whatever is added later.
    """
    draw = int(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest(), 16) % _RESOLUTION / _RESOLUTION
    if draw < params.test:
        return "test"
    return "validation" if draw < params.test + params.validation else "train"


def split_snapshot(crystals: pl.DataFrame, params: SplitParams) -> pl.DataFrame:
    """Set ``split`` of every crystal; the pure elements are always learned from.

    Raises:
        LodestoneError: If a part would be empty.
    """
    dealt = crystals.with_columns(pl.Series("split", _deal(crystals, params)))
    sizes = dict(dealt["split"].value_counts().iter_rows())
    empty = [part for part in ("train", "validation", "test") if not sizes.get(part)]
    if empty:
        raise LodestoneError(
            f"the split by {params.by} leaves no crystal for {', '.join(empty)} ({len(crystals)} in all)",
            "take a larger snapshot (snapshot.filters) or larger shares (split.validation, split.test)",
        )
    return dealt


def split_verified(crystals: pl.DataFrame, params: SplitParams) -> pl.DataFrame:
    """Set ``split`` of newly verified crystals: those whose key belongs to validation or test are held out."""
    parts = ["train" if part == "train" else "holdout" for part in _deal(crystals, params)]
    return crystals.with_columns(pl.Series("split", parts, dtype=pl.String))


def empty_attempts() -> pl.DataFrame:
    """The attempts before the first round: none."""
    return pl.DataFrame(schema={"decorated_prototype": pl.String, "round": pl.String, "is_stable": pl.Boolean})


def _deal(crystals: pl.DataFrame, params: SplitParams) -> list[str]:
    rows = zip(crystals[_KEYS[params.by]], crystals["chemsys"], strict=True)
    return ["train" if "-" not in chemsys else split_of(key, params) for key, chemsys in rows]
