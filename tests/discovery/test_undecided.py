"""Hits too little below the hull: no discoveries, but known."""

from __future__ import annotations

import polars as pl
import pytest

from lodestone.discovery.round import run_round
from lodestone.schemas import Verifications
from lodestone.tables.files import validated

MIN_DEPTH = 0.05


def at_least(params, min_depth):
    update = {"min_depth": min_depth, "acquisition": "random"}
    return params.model_copy(update={"discovery": params.discovery.model_copy(update=update)})


@pytest.fixture(scope="module")
def result(start, world, params):
    return run_round("round_0", start, world, at_least(params, MIN_DEPTH), world.label)


@pytest.fixture(scope="module")
def unlimited(start, world, params):
    return run_round("round_0", start, world, at_least(params, 0.0), world.label)


def test_only_what_lies_deep_enough_is_a_discovery(result, unlimited, tmp_path):
    table = validated(result.verifications, Verifications, tmp_path)
    every = unlimited.verifications.filter("is_discovery")
    deep = every.filter(pl.col("energy_above_hull") <= -MIN_DEPTH)
    assert 0 < len(deep) < len(every)
    assert set(table.filter("is_discovery")["material_id"]) == set(deep["material_id"])
    assert set(table.filter("is_stable")["material_id"]) == set(every["material_id"])
    assert result.metrics["hit_rate"] == unlimited.metrics["hit_rate"]
    assert result.metrics["n_discovered"] == result.metrics["depth"]["n"] == len(deep)
    assert result.metrics["n_undecided"] == len(every) - len(deep)
    assert unlimited.metrics["n_undecided"] == 0


def test_the_undecided_are_known_from_then_on(result, unlimited):
    shallow = unlimited.verifications.filter(pl.col("is_stable") & (pl.col("energy_above_hull") > -MIN_DEPTH))
    assert set(shallow["material_id"]) <= set(result.state.crystals["material_id"])
