"""Deal crystals to train, validation and test, once and for all.

By hash, a key belongs to a part whatever else is known; by time, to the part of the first day it is known from. In both
cases what shares a key shares a part, and the contracts in :mod:`lodestone.schemas` refuse a table in which it does
not.
"""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any

import polars as pl

from lodestone.config.sections import SplitParams
from lodestone.errors import LodestoneError
from lodestone.schemas import PARTS, Crystals, CrystalsByChemsys

_KEYS = {"formula": "formula_pretty", "chemsys": "chemsys", "created_at": "formula_pretty"}
_RESOLUTION = 100


def split_of(key: str, params: SplitParams) -> str:
    """Part of the data that a formula or chemical system belongs to: the MD5 hash modulo 100 (GNoME's rule).

    The hash knows no other crystal, so the test set is the same whatever is added later. Two more digits of the hash
    tell keys of one remainder apart; they matter only where a share is no whole percentage.
    """
    number = int(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest(), 16)
    draw = number % _RESOLUTION * _RESOLUTION + number // _RESOLUTION % _RESOLUTION
    test, validation = (round(share * _RESOLUTION**2) for share in (params.test, params.validation))
    if draw < test:
        return "test"
    return "validation" if draw < test + validation else "train"


def split_snapshot(crystals: pl.DataFrame, params: SplitParams) -> pl.DataFrame:
    """Set ``split`` of every crystal; the pure elements are always learned from.

    Args:
        crystals: Contract :class:`lodestone.schemas.Labelled`.
        params: Section ``split``.

    Returns:
        Contract :func:`crystals_contract`. By time, formulas of which no crystal has a date are ``holdout``: nobody
        knows on which side of the test they belong.

    Raises:
        LodestoneError: If a part would be empty, or no crystal has the date that the split goes by.
    """
    dealt = crystals.with_columns(
        _by_time(crystals, params) if params.by == "created_at" else _by_hash(crystals, params)
    )
    sizes = dict(dealt["split"].value_counts().iter_rows())
    empty = [part for part in ("train", "validation", "test") if not sizes.get(part)]
    if empty:
        shares = ("validation_from", "test_from") if params.by == "created_at" else ("validation", "test")
        raise LodestoneError(
            f"the split by {params.by} leaves no crystal for {', '.join(empty)} ({len(crystals)} in all)",
            f"take a larger snapshot (snapshot.filters), or change split.{shares[0]} and split.{shares[1]}",
        )
    return dealt


def split_verified(crystals: pl.DataFrame, known: pl.DataFrame, params: SplitParams) -> pl.DataFrame:
    """Set ``split`` of newly verified crystals: those whose key belongs to validation or test are held out.

    Args:
        crystals: Verified crystals; they have no date, so by time only what is known counts, and a new formula is
            learned from.
        known: Contract :class:`lodestone.schemas.Crystals`, as dealt before.
        params: Section ``split``.
    """
    key = _KEYS[params.by]
    held_out = pl.col(key).is_in(known.filter(pl.col("split") != "train")[key].unique().implode())
    if params.by != "created_at":
        held_out |= pl.Series(_by_hash(crystals, params) != "train")
    return crystals.with_columns(
        pl.when(held_out & _is_compound()).then(pl.lit("holdout")).otherwise(pl.lit("train")).alias("split")
    )


def split_metrics(crystals: pl.DataFrame) -> dict[str, Any]:
    """Sizes of the parts in crystals and formulas, and from when to when their crystals are, as far as they say."""
    return {
        part: {
            "n": len(rows),
            "n_formulas": rows["formula_pretty"].n_unique(),
            "n_undated": rows["created_at"].null_count(),
            "first_day": rows["created_at"].min(),
            "last_day": rows["created_at"].max(),
        }
        for part in PARTS
        for rows in [crystals.filter(pl.col("split") == part)]
    }


def crystals_contract(params: SplitParams) -> type[Crystals]:
    """The contract of known crystals that refuses leakage by what the split goes by."""
    return CrystalsByChemsys if params.by == "chemsys" else Crystals


def empty_attempts() -> pl.DataFrame:
    """The attempts before the first round: none."""
    return pl.DataFrame(schema={"decorated_prototype": pl.String, "round": pl.String, "is_stable": pl.Boolean})


def _by_hash(crystals: pl.DataFrame, params: SplitParams) -> pl.Series:
    rows = zip(crystals[_KEYS[params.by]], crystals["chemsys"], strict=True)
    parts = ["train" if "-" not in chemsys else split_of(key, params) for key, chemsys in rows]
    return pl.Series("split", parts, dtype=pl.String)


def _by_time(crystals: pl.DataFrame, params: SplitParams) -> pl.Expr:
    if crystals["created_at"].null_count() == len(crystals):
        raise LodestoneError(
            f"the split goes by created_at, and none of {len(crystals)} crystals has that date",
            "take a source that gives it (a column created_at, YYYY-MM-DD), or set split.by: formula",
        )
    first = pl.col("created_at").min().over("formula_pretty")  # ISO dates sort as text
    return (
        pl.when(~_is_compound())
        .then(pl.lit("train"))
        .when(first.is_null())
        .then(pl.lit("holdout"))
        .when(first >= _day(params.test_from))
        .then(pl.lit("test"))
        .when(first >= _day(params.validation_from))
        .then(pl.lit("validation"))
        .otherwise(pl.lit("train"))
        .alias("split")
    )


def _day(day: date | None) -> str:
    return "" if day is None else day.isoformat()  # params.py has seen to it that both are given


def _is_compound() -> pl.Expr:
    return pl.col("chemsys").str.contains("-", literal=True)
