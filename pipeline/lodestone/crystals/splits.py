"""Deal crystals to train, validation and test by a hash: GNoME's rule, which no other crystal can change."""

from __future__ import annotations

import hashlib

import polars as pl

from lodestone.config.sections import SplitParams

SPLIT_KEYS = {"formula": "formula_pretty", "chemsys": "chemsys", "created_at": "formula_pretty"}
_RESOLUTION = 100


def split_of(key: str, params: SplitParams) -> str:
    """Split that a formula or chemical system belongs to: the MD5 hash modulo 100 (GNoME's rule).

    The hash depends on no other crystal, so the test set stays the same whatever is added later. Two more digits of the
    hash separate keys with the same remainder; they matter only where a share is not a whole percentage.
    """
    number = int(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest(), 16)
    bucket = number % _RESOLUTION * _RESOLUTION + number // _RESOLUTION % _RESOLUTION
    test, validation = (round(share * _RESOLUTION**2) for share in (params.test, params.validation))
    if bucket < test:
        return "test"
    if bucket < test + validation:
        return "validation"
    learned = _RESOLUTION**2 if params.train is None else test + validation + round(params.train * _RESOLUTION**2)
    return "train" if bucket < learned else "holdout"


def split_by_hash(crystals: pl.DataFrame, params: SplitParams) -> pl.Series:
    """Split of each crystal by its formula or chemical system; pure elements always go to ``train``.

    Args:
        crystals: Columns ``formula_pretty`` and ``chemsys``.
        params: Section ``split``.

    Returns:
        Column ``split``.
    """
    rows = zip(crystals[SPLIT_KEYS[params.by]], crystals["chemsys"], strict=True)
    splits = ["train" if "-" not in chemsys else split_of(key, params) for key, chemsys in rows]
    return pl.Series("split", splits, dtype=pl.String)
