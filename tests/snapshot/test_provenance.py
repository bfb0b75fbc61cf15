"""The content hash: equal for equal content, different for the smallest difference."""

import math

import polars as pl
import pytest

from lodestone.snapshot.provenance import content_hash

TABLE = pl.DataFrame({"material_id": ["b", "a"], "x": [0.0, None], "n": [[1, 2], [3]], "t": ["u", None]})


def test_order_of_rows_and_columns_does_not_count():
    assert content_hash(TABLE[::-1].select("x", "t", "n", "material_id")) == content_hash(TABLE)


@pytest.mark.parametrize(
    "change",
    [
        {"x": [0.0, 0.0]},
        {"x": [math.nan, None]},
        {"x": [5e-324, None]},
        {"n": [[1], [2, 3]]},
        {"n": [[1, 2, 3], []]},
        {"t": ["u", ""]},
        {"material_id": ["a", "b"]},
    ],
)
def test_every_value_counts(change):
    changed = TABLE.with_columns(pl.Series(name, values, dtype=TABLE.schema[name]) for name, values in change.items())
    assert content_hash(changed) != content_hash(TABLE)
