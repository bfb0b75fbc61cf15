"""Building blocks of contracts: columns with units, checks of several columns, and shared vocabularies."""

from __future__ import annotations

from typing import Any

import polars as pl

from lodestone.runtime.imports import without

with without("pandas"):
    import pandera.polars as pa

PARTS = ("train", "validation", "test", "holdout")
INPUT_STRUCTURES = ("relaxed", "unrelaxed")
OUT_OF_DISTRIBUTION_REASONS = ("element", "pair", "system", "latent")
SHOWN = 5  # failing rows that a check keeps for its message


def field(description: str, unit: str = "-", **checks: Any) -> Any:
    """A column with its description and unit, both shown in `DATASET.md`."""
    return pa.Field(description=description, metadata={"unit": unit}, **checks)


def check(error: str, holds: pl.Expr) -> Any:
    """A check of several columns, or of all rows at once; its text is shown in `DATASET.md`."""

    def check(_: Any, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(holds)

    return pa.dataframe_check(error=error, n_failure_cases=SHOWN)(check)


def _finite(_: Any, data: pa.PolarsData) -> pl.LazyFrame:
    dtype, values = data.lazyframe.collect_schema()[data.key], pl.col(data.key)
    if isinstance(dtype, pl.List) and dtype.inner.is_float():
        values = values.list.sum()  # a sum with a non-finite number is not finite
    elif not dtype.is_float():
        return data.lazyframe.select(pl.repeat(value=True, n=pl.len()))
    return data.lazyframe.select(values.is_finite())


class Lenient(pa.DataFrameModel):
    """A table with these columns, of these types, and no others."""

    class Config:
        """Nothing is converted."""

        strict = True
        coerce = False


class Contract(Lenient):
    """Likewise, and all numbers are finite."""

    _finite = pa.check(".*", regex=True, name="finite", error="finite", n_failure_cases=SHOWN)(_finite)
