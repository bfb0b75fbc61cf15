"""Each filter alone, their order, and the seeded draw."""

import polars as pl
import pytest
from snapshot_rows import ROWS

from lodestone.config.sections import Filters
from lodestone.errors import LodestoneError
from lodestone.snapshot.filters import apply_filters
from lodestone.snapshot.source import make_outline

OUTLINE = make_outline(pl.DataFrame(ROWS, infer_schema_length=None), "rows")


def _ids(table: pl.DataFrame) -> str:
    return "".join(name.removeprefix("mp-") for name in table["material_id"])


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        ({}, "12345678"),
        ({"elements": ("Na", "Cl")}, "1234"),
        ({"require_any_of": ("O",)}, "1237"),  # crystals of one element stay
        ({"elements": ("K", "Na", "Cl"), "require_any_of": ("Cl",)}, "123456"),
        ({"chemical_systems": ("Na-K-Cl",)}, "1234568"),  # subsystems, in any order of elements
        ({"chemical_systems": ("Cl-Na", "O-Mg")}, "12347"),
        ({"min_sites": 2}, "245678"),
        ({"max_sites": 2}, "1234578"),
        ({"max_energy_above_hull": 0.05}, "12345"),  # a row without a value is dropped
        ({"limit": 100}, "12345678"),
    ],
)
def test_filters(filters, kept):
    table, steps = apply_filters(OUTLINE, Filters(**filters), seed=1)
    assert _ids(table) == kept
    assert [step["filter"] for step in steps] == list(filters)
    assert all(step["rows_in"] >= step["rows_out"] > 0 for step in steps)


def test_limit_depends_on_the_seed_and_not_on_the_order_of_rows():
    drawn = {seed: _ids(apply_filters(OUTLINE, Filters(limit=4), seed)[0]) for seed in range(8)}
    again = {seed: _ids(apply_filters(OUTLINE[::-1], Filters(limit=4), seed)[0]) for seed in range(8)}
    assert drawn == again
    assert len(set(drawn.values())) > 1
    assert {len(ids) for ids in drawn.values()} == {4}


def test_limit_keeps_the_lowest_crystal_of_each_element_first():
    for seed in range(5):
        assert _ids(apply_filters(OUTLINE, Filters(limit=2), seed)[0]) == "13"


@pytest.mark.parametrize(
    ("filters", "told"),
    [
        (
            {"elements": ("Na", "Fe"), "max_sites": 2, "min_sites": 2, "chemical_systems": ("Fe-O",)},
            "chemical_systems.*last 2",
        ),
        ({"min_sites": 50}, r"min_sites: 50 removed the last 8 rows"),
    ],
)
def test_the_filter_that_leaves_nothing_is_named(filters, told):
    with pytest.raises(LodestoneError, match=told):
        apply_filters(OUTLINE, Filters(**filters), seed=1)


def test_hull_filter_says_when_the_source_has_no_distances():
    silent = OUTLINE.with_columns(pl.lit(None, pl.Float64).alias("energy_above_hull"))
    with pytest.raises(LodestoneError, match="none of them has a value of energy_above_hull"):
        apply_filters(silent, Filters(max_energy_above_hull=0.1), seed=1)
