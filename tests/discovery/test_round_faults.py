"""Rounds that find nothing to do, or cannot do it."""

import pytest

from lodestone.config.rounds import RoundParams
from lodestone.discovery.round import run_round
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Label
from lodestone.schemas import Verifications
from lodestone.tables.files import validated


def changed(params, **discovery):
    return params.model_copy(update={"discovery": params.discovery.model_copy(update=discovery)})


def test_no_candidate_left_after_screening(start, world, params):
    with pytest.raises(LodestoneError, match=r"round_0: none of 300 candidates(.|\n)*discovery\.threshold"):
        run_round("round_0", start, world, changed(params, threshold=-9.0), world.label)


def test_a_baseline_that_takes_every_candidate_is_named(start, world, params):
    """The screening is not to blame."""
    greedy = {"round_0": RoundParams(next="round_1", budget=5, random_baseline=30)}
    some = changed(params, max_proposals=20).model_copy(update={"rounds": greedy})
    with pytest.raises(LodestoneError, match=r"round_0: the random baseline(.|\n)*rounds\.round_0\.random_baseline"):
        run_round("round_0", start, world, some, world.label)


def test_no_substitution_left(start, world, params):
    section = params.discovery.generators[0].model_copy(update={"min_substitution_probability": 1.0})
    with pytest.raises(LodestoneError, match=r"round_0: no generator(.|\n)*min_substitution_probability"):
        run_round("round_0", start, world, changed(params, generators=(section,)), world.label)


def test_an_oracle_that_fails_on_every_candidate(start, world, params):
    def broken(labels):
        return [Label("exploded" if i else "not_converged", None, None, 3, 0.0) for i in range(len(labels))]

    told = r"round_0: the oracle failed on all 40 candidates \(39 x exploded, 1 x not_converged\)"
    with pytest.raises(LodestoneError, match=told):
        run_round("round_0", start, world, params, lambda crystals: broken(world.label(crystals)))


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
