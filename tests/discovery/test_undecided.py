"""Hits too little below the hull, or overtaken by others of their round: no discoveries, but known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from lodestone.config.rounds import RoundParams
from lodestone.crystals.crystal import Crystal
from lodestone.discovery.round import run_round
from lodestone.oracles.base import Label
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
    hits = table.filter("is_stable")
    assert set(hits["material_id"]) == set(unlimited.verifications.filter("is_stable")["material_id"])
    assert result.metrics["hit_rate"] == unlimited.metrics["hit_rate"]
    assert result.metrics["n_discovered"] == result.metrics["depth"]["n"] == len(deep)
    assert result.metrics["n_undecided"] == (hits["energy_above_hull"] > -MIN_DEPTH).sum()
    assert unlimited.metrics["n_undecided"] == 0


def test_the_undecided_are_known_from_then_on(result, unlimited):
    shallow = unlimited.verifications.filter(pl.col("is_stable") & (pl.col("energy_above_hull") > -MIN_DEPTH))
    assert set(shallow["material_id"]) <= set(result.state.crystals["material_id"])


def test_a_discovery_lies_on_the_hull_of_what_its_round_has_found(start, world, params):
    other = at_least(params.model_copy(update={"seed": 2}), 0.0)  # of the usual seed none is overtaken
    unlimited = run_round("round_0", start, world, other, world.label)
    hits = unlimited.verifications.filter("is_stable")
    after = dict(unlimited.state.crystals.select("material_id", "energy_above_hull").iter_rows())
    on_it = hits["material_id"].replace_strict(after, return_dtype=pl.Float64) == 0
    assert hits["is_discovery"].to_list() == on_it.to_list()
    assert unlimited.metrics["n_overtaken"] == len(hits) - on_it.sum() > 0
    assert unlimited.metrics["n_discovered"] == on_it.sum() > 0


def test_of_one_formula_the_lowest_of_a_round_is_the_discovery(start, world, params):
    forms = [Crystal(4.0 * np.eye(3), [37, 9], [[0, 0, 0], place]) for place in ([0.5, 0.5, 0.5], [0.5, 0, 0])]
    on_hull = world.energies(forms) - world.offsets(forms)

    def both(crystals):
        assert len(crystals) == 2
        return [Label("ok", on_hull[place] - depth, forms[place], 1, 0.0) for place, depth in enumerate((0.05, 0.04))]

    rounds = {"round_0": RoundParams(next="after", budget=2, random_baseline=0)}
    result = run_round("round_0", start, world, params.model_copy(update={"rounds": rounds}), both)
    assert result.verifications["is_stable"].to_list() == [True, True]
    (discovery,) = result.verifications.filter("is_discovery").iter_rows(named=True)
    assert discovery["energy_above_hull"] == pytest.approx(-0.05)
    assert (result.metrics["n_overtaken"], result.metrics["n_undecided"]) == (1, 0)
