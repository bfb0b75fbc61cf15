"""Crystals too deep below the hull: no discoveries, but known from then on, and a reason to propose there first."""

from dataclasses import replace

import polars as pl
import pytest
from world import BUDGET

from lodestone.discovery.proposals import propose
from lodestone.discovery.round import run_round
from lodestone.ensemble.metrics import wilson_proportion
from lodestone.schemas import Attempts, Verifications
from lodestone.stability.density import compounds_within
from lodestone.tables.files import validated

MAX_DEPTH = 0.08  # eV/atom; the world's truth lies down to 0.15 below the hull


def limited(params, max_depth):
    """Parameters whose acquisition does not look at the limit, so that all limits see the same candidates."""
    update = {"min_depth": 0.0, "max_depth": max_depth, "acquisition": "stability_probability"}
    return params.model_copy(update={"discovery": params.discovery.model_copy(update=update)})


@pytest.fixture(scope="module")
def result(start, world, params):
    return run_round("round_0", start, world, limited(params, MAX_DEPTH), world.label)


@pytest.fixture(scope="module")
def unlimited(start, world, params):
    return run_round("round_0", start, world, limited(params, 10.0), world.label)


def test_the_likeliest_hits_avoid_what_lies_too_deep(start, world, params, result):
    discovery = limited(params, MAX_DEPTH).discovery.model_copy(update={"acquisition": "hit_probability"})
    hits = run_round("round_0", start, world, params.model_copy(update={"discovery": discovery}), world.label)
    assert hits.metrics["n_hull_incomplete"] < result.metrics["n_hull_incomplete"]
    assert hits.metrics["n_discovered"] > result.metrics["n_discovered"]


def test_a_crystal_deeper_than_the_limit_is_no_discovery(result, unlimited, tmp_path):
    table = validated(result.verifications, Verifications, tmp_path)
    below = table.filter(pl.col("is_new") & (pl.col("energy_above_hull") <= pl.col("stable_below")))
    deep = below.filter(pl.col("energy_above_hull") < -MAX_DEPTH)
    assert 0 < len(deep) < len(below)
    assert set(table.filter("hull_is_incomplete")["material_id"]) == set(deep["material_id"])
    assert set(table.filter("is_stable")["material_id"]) == set(below["material_id"]) - set(deep["material_id"])
    assert set(below["material_id"]) == set(unlimited.verifications.filter("is_stable")["material_id"])


def test_metrics_count_it_apart_and_not_as_a_hit(result):
    table, metrics = result.verifications, result.metrics
    stable, deep = table.filter("is_stable"), table.filter("hull_is_incomplete")
    assert metrics["n_hull_incomplete"] == metrics["n_hull_incomplete_total"] == len(deep)
    assert metrics["n_discovered"] == metrics["n_discovered_total"] == len(stable)
    assert metrics["n_discovered_formulas"] == len(set(stable["formula_pretty"]))
    hits = len(stable.filter(pl.col("acquired_by") == "model"))
    assert metrics["hit_rate"]["model"] == wilson_proportion(hits, BUDGET)
    assert metrics["depth"]["n"] == len(stable)
    assert metrics["depth"]["median"] == pytest.approx((-stable["energy_above_hull"]).median())
    assert metrics["depth"]["max"] <= MAX_DEPTH


def test_it_joins_the_known_crystals_and_the_hull(result, unlimited):
    assert result.state.crystals.equals(unlimited.state.crystals)


def test_attempts_remember_its_system(result, tmp_path):
    attempts = validated(result.state.attempts, Attempts, tmp_path)
    deep = result.verifications.filter("hull_is_incomplete")
    assert result.state.incomplete_systems() == frozenset(deep["chemsys"])
    assert attempts["hull_is_incomplete"].sum() == len(deep)


def test_every_verification_says_how_dense_the_hull_is(result, start):
    table = result.verifications
    assert table["n_competing_phases"].to_list() == compounds_within(table["chemsys"], start.crystals)
    assert table["n_competing_phases"].n_unique() > 3
    assert table.filter(pl.col("status") != "ok")["n_competing_phases"].null_count() == 0


def test_the_next_rounds_propose_in_incomplete_systems_first(start, params):
    systems = ["Cl-K-Na", "Mg-O-S"]
    rows = [{"decorated_prototype": f"x{i}", "chemsys": name} for i, name in enumerate([*systems, "Ca-F"])]
    flags = {
        "round": ["round_0"] * 3,
        "is_stable": [False] * 3,
        "is_discovery": [False] * 3,
        "hull_is_incomplete": [True, True, False],
    }
    attempts = pl.DataFrame(rows).hstack(pl.DataFrame(flags)).select(start.attempts.columns)
    urgent = replace(start, attempts=attempts)
    assert urgent.incomplete_systems() == frozenset(systems)
    rounds = [propose("round_1", state, params.discovery, params.snapshot.filters, 3) for state in (start, urgent)]
    plain, ordered = ([item for _, item in proposals.items] for proposals in rounds)
    inside = [any(set(item.crystal.species) <= set(name.split("-")) for name in systems) for item in ordered]
    n = sum(inside)
    assert n > 5
    assert inside == [True] * n + [False] * (len(inside) - n)
    rest = [item.label for item in plain if item.label not in {one.label for one in ordered[:n]}]
    assert [item.label for item in ordered[n:]] == rest[: len(ordered) - n]
    assert all(item.provenance_text.startswith('{"parent": ') for item in ordered)
