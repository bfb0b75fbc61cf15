"""Rounds that find nothing to do, or cannot do it."""

import json
from dataclasses import replace

import polars as pl
import pytest

from lodestone.config.rounds import RoundParams
from lodestone.discovery.round import run_round
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Label
from lodestone.schemas import Candidates, Verifications
from lodestone.tables.files import validated


def changed(params, **discovery):
    return params.model_copy(update={"discovery": params.discovery.model_copy(update=discovery)})


def budgets(params, budget, random_baseline):
    rounds = {"round_0": RoundParams(next="round_1", budget=budget, random_baseline=random_baseline)}
    return params.model_copy(update={"rounds": rounds})


def refuse(_):
    raise AssertionError("nothing was to be verified")


def assert_left_as_it_was(result, start, tmp_path):
    validated(result.candidates, Candidates, tmp_path)
    validated(result.verifications, Verifications, tmp_path)
    assert result.verifications.is_empty()
    assert result.state.crystals.equals(start.crystals)
    assert result.state.attempts.equals(start.attempts)
    none = {"hits": 0, "n": 0, "rate": None, "low": None, "high": None}
    assert result.metrics["hit_rate"] == {"model": none, "random": none}
    assert (result.metrics["n_verified"], result.metrics["verified_mae"]["n"]) == (0, 0)
    assert json.loads(json.dumps(result.metrics, allow_nan=False)) == result.metrics


def test_a_round_without_a_proposal_ends_empty(start, world, params, tmp_path):
    section = params.discovery.generators[0].model_copy(update={"min_substitution_probability": 1.0})
    result = run_round("round_0", start, world, changed(params, generators=(section,)), refuse)
    assert result.candidates.is_empty()
    assert result.metrics["n_proposed"] == result.metrics["n_screened"] == 0
    assert_left_as_it_was(result, start, tmp_path)


def test_a_round_without_a_candidate_near_the_hull_ends_empty(start, world, params, tmp_path):
    result = run_round("round_0", start, world, budgets(changed(params, threshold=-9.0), 5, 0), refuse)
    assert (result.metrics["n_proposed"], result.metrics["n_screened"]) == (300, 0)
    assert_left_as_it_was(result, start, tmp_path)


def test_the_baseline_is_verified_though_nothing_is_predicted_near_the_hull(start, world, params):
    result = run_round("round_0", start, world, changed(params, threshold=-9.0), world.label)
    assert set(result.verifications["acquired_by"]) == {"random"}
    assert result.metrics["hit_rate"]["model"]["n"] == 0
    assert result.metrics["predicted_hit_rate"]["model"] is None


def test_a_baseline_may_take_the_last_candidates(start, world, params):
    result = run_round("round_0", start, world, budgets(changed(params, max_proposals=20), 5, 30), world.label)
    assert result.verifications["acquired_by"].to_list() == ["random"] * 20


def test_an_oracle_that_fails_on_every_candidate(start, world, params):
    def broken(labels):
        return [Label("exploded" if i else "not_converged", None, None, 3, 0.0) for i in range(len(labels))]

    message = r"round_0: the oracle failed on all 40 candidates \(39 x exploded, 1 x not_converged\)"
    with pytest.raises(LodestoneError, match=message):
        run_round("round_0", start, world, params, lambda crystals: broken(world.label(crystals)))


def test_a_few_candidates_may_all_fail(start, world, params, tmp_path):
    def broken(crystals):
        return [Label("exploded", None, None, 3, 0.0) for _ in crystals]

    result = run_round("round_0", start, world, budgets(params, 5, 2), broken)
    validated(result.verifications, Verifications, tmp_path)
    assert (result.metrics["n_verified"], result.metrics["n_ok"]) == (7, 0)
    assert result.state.crystals.equals(start.crystals)
    assert len(result.state.attempts) == 7


@pytest.mark.parametrize("energy", [-25.0, 60.0])  # what is no number is no label: tests/oracles/test_base.py
def test_an_implausible_energy_is_refused_and_never_on_the_hull(start, world, params, tmp_path, energy):
    def artifact(labels):
        first = [label.ok for label in labels].index(True)
        return [replace(label, energy_per_atom=energy) if i == first else label for i, label in enumerate(labels)]

    sound = run_round("round_0", start, world, params, world.label)
    result = run_round("round_0", start, world, params, lambda crystals: artifact(world.label(crystals)))
    validated(result.verifications, Verifications, tmp_path)
    (row,) = result.verifications.filter(pl.col("status").str.starts_with("implausible")).iter_rows(named=True)
    assert row["status"].startswith("implausible: formation energy of ")
    assert not row["is_new"]
    assert result.metrics["rejected"]["implausible"] == 1
    assert row["material_id"] not in result.state.crystals["material_id"]
    assert row["material_id"] in sound.state.crystals["material_id"]
    low, high = params.validate_.formation_energy
    assert result.state.crystals["formation_energy_per_atom"].is_between(low, high).all()


def test_one_success_is_enough_to_go_on(start, world, params, tmp_path):
    def almost_broken(labels):
        last = [label.ok for label in labels].index(True)
        return [label if i == last else Label("exploded", None, None, 3, 0.0) for i, label in enumerate(labels)]

    result = run_round("round_0", start, world, params, lambda crystals: almost_broken(world.label(crystals)))
    validated(result.verifications, Verifications, tmp_path)
    assert result.metrics["n_ok"] == 1
    assert len(result.state.crystals) == len(start.crystals) + result.metrics["n_new"]


def test_without_a_baseline_its_hit_rate_is_unknown(start, world, params):
    alone = {"round_0": RoundParams(next="round_1", budget=5, random_baseline=0)}
    result = run_round("round_0", start, world, params.model_copy(update={"rounds": alone}), world.label)
    assert result.metrics["hit_rate"]["random"] == {"hits": 0, "n": 0, "rate": None, "low": None, "high": None}
    assert result.metrics["predicted_hit_rate"]["random"] is None
    assert result.metrics["hit_rate"]["model"]["n"] == 5
