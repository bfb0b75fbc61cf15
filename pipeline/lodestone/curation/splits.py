"""Assign crystals to train, validation and test, once and for all.

By hash, the key alone decides the split; by time, the first day on which the key is known. In both cases crystals that
share a key share a split, and the contracts in :mod:`lodestone.schemas` refuse a table in which they do not.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from lodestone.config.sections import SplitParams
from lodestone.crystals.splits import SPLIT_KEYS, split_by_hash
from lodestone.errors import LodestoneError
from lodestone.schemas import PARTS, Attempts, Crystals, CrystalsByChemsys


def split_snapshot(crystals: pl.DataFrame, params: SplitParams) -> pl.DataFrame:
    """Set ``split`` of every crystal; pure elements always go to ``train``.

    Args:
        crystals: Contract :class:`lodestone.schemas.Labelled`.
        params: Section ``split``.

    Returns:
        Contract :func:`crystals_contract`. By time, formulas without a dated crystal are ``holdout``: nobody knows
        on which side of the test they belong. By hash, so are those beyond the share that is learned from.

    Raises:
        LodestoneError: If a split would be empty, or no crystal has the date that splits by time need.
    """
    assigned = crystals.with_columns(
        _by_time(crystals, params) if params.by == "created_at" else split_by_hash(crystals, params)
    )
    sizes = dict(assigned["split"].value_counts().iter_rows())
    empty = [name for name in ("train", "validation", "test") if not sizes.get(name)]
    if empty:
        shares = ("validation_from", "test_from") if params.by == "created_at" else ("validation", "test")
        raise LodestoneError(
            f"the split by {params.by} leaves no crystal for {', '.join(empty)} ({len(crystals)} in all)",
            f"take a larger snapshot (snapshot.filters), or change split.{shares[0]} and split.{shares[1]}",
        )
    return assigned


def split_verified(crystals: pl.DataFrame, known: pl.DataFrame, params: SplitParams) -> pl.DataFrame:
    """Set ``split`` of newly verified crystals: those whose key belongs to validation or test are held out.

    Args:
        crystals: Verified crystals; they have no date, so by time only known crystals decide, and a new formula goes
            to ``train``.
        known: Contract :class:`lodestone.schemas.Crystals`, with the splits assigned so far.
        params: Section ``split``.
    """
    key = SPLIT_KEYS[params.by]
    held_out = pl.col(key).is_in(known.filter(pl.col("split") != "train")[key].unique().implode())
    if params.by != "created_at":
        held_out |= pl.Series(split_by_hash(crystals, params)).is_in(["validation", "test"])
    return crystals.with_columns(
        pl.when(held_out & _is_compound()).then(pl.lit("holdout")).otherwise(pl.lit("train")).alias("split")
    )


def split_metrics(crystals: pl.DataFrame) -> dict[str, Any]:
    """Size of each split in crystals and formulas, and the first and last date of its crystals, where they have one."""
    return {
        name: {
            "n": len(rows),
            "n_formulas": rows["formula_pretty"].n_unique(),
            "n_undated": rows["created_at"].null_count(),
            "first_day": rows["created_at"].min(),
            "last_day": rows["created_at"].max(),
        }
        for name in PARTS
        for rows in [crystals.filter(pl.col("split") == name)]
    }


def crystals_contract(params: SplitParams) -> type[Crystals]:
    """The contract of known crystals that refuses leakage between splits, by formula or by chemical system."""
    return CrystalsByChemsys if params.by == "chemsys" else Crystals


def empty_attempts() -> pl.DataFrame:
    """The attempts before the first round: none."""
    return Attempts.empty()


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
    return "" if day is None else day.isoformat()  # params.py ensures that both are given


def _is_compound() -> pl.Expr:
    return pl.col("chemsys").str.contains("-", literal=True)
