"""A round of a campaign with the generator `pool` and the oracle `replay` does what a replay does."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from test_replay_campaign import Clairvoyant, Watched, prediction_of

from lodestone.config.load import load_params
from lodestone.config.registry import GENERATORS, ORACLES
from lodestone.config.rounds import RoundParams
from lodestone.curation.splits import empty_attempts
from lodestone.discovery.generators.base import Known
from lodestone.discovery.round import run_round
from lodestone.discovery.state import RoundState
from lodestone.errors import LodestoneError
from lodestone.replay.campaign import Limits, run_campaign
from lodestone.replay.policies import policies_of
from lodestone.replay.tables import read_known, read_pool

ROOT = Path(__file__).parents[2]
ENERGY = "formation_energy_per_atom"
BUDGET = 30


@pytest.fixture
def params(tables):
    """As in a default campaign, without the limits that a replay has not."""
    defaults = load_params(ROOT / "params.yaml")
    pool = GENERATORS.settings("pool", {"name": "pool", "path": str(tables.pool)})
    limits = {"max_sites": 1000, "max_elements": 100, "charge_balance": "off", "threshold": 100.0, "max_depth": 100.0}
    limits |= {"max_per_chemsys": 1000, "max_proposals": 10_000, "generators": (pool,)}
    rounds = {"round_0": RoundParams(next="round_1", budget=BUDGET, random_baseline=0)}
    return defaults.model_copy(update={"discovery": defaults.discovery.model_copy(update=limits), "rounds": rounds})


@pytest.fixture
def oracle(tables):
    settings = {"name": "replay", "tables": [str(tables.known), str(tables.pool)]}
    return ORACLES.make("replay", ORACLES.settings("replay", settings))


class Believing:
    """An ensemble that is off by up to 2 eV/atom, in its own way for each crystal."""

    def __init__(self, believed):
        self.believed = believed

    def predict(self, crystals, input_structure):
        assert input_structure == "unrelaxed"
        return prediction_of(np.array([self.believed[crystal.digest()] for crystal in crystals]))


@pytest.fixture
def state(tables, known):
    """The known crystals, whose elements have the energy 0, as the oracle has it."""
    crystals = known.filter(pl.col("material_id").is_in(tables.known_rows["material_id"].implode()))
    elements = sorted(set(crystals["chemsys"].str.split("-").explode()))
    references = pl.DataFrame({"element": elements, "energy_per_atom": 0.0, "material_id": elements})
    return RoundState(crystals, empty_attempts(), references)


def test_the_same_candidates_are_chosen_and_found_to_be_stable(tables, params, oracle, state):
    replayed = read_pool(tables.pool, read_known(tables.known))
    energies = tables.pool_rows.sort("material_id")[ENERGY].to_numpy()
    believed = energies + np.random.default_rng(0).uniform(-2, 2, len(energies))
    digests = [crystal.digest() for crystal in replayed.initial]
    watched, limits = Watched(oracle), Limits(BUDGET, 1)
    policy = policies_of(params)["ours"]
    run = run_campaign("ours", policy, replayed, watched, Clairvoyant(believed), limits=limits, seed=0)

    def label(structures):
        labels = dict(oracle.label(structures))
        return [labels[index] for index in range(len(structures))]

    ensemble = Believing(dict(zip(digests, believed, strict=True)))
    verifications = run_round("round_0", state, ensemble, params, label).verifications
    names = [json.loads(text)["candidate"] for text in verifications["provenance"]]
    of_name = dict(zip(replayed.table["material_id"], digests, strict=True))
    assert {of_name[name] for name in names} == set(watched.asked[0])
    assert (verifications["energy_above_hull"] <= 0).sum() == sum(run.finds[0])
    assert 0 < sum(run.finds[0]) < BUDGET == len(names)


def test_the_generator_proposes_every_candidate_once(tables, known):
    generator = GENERATORS.make("pool", GENERATORS.settings("pool", {"name": "pool", "path": str(tables.pool)}))
    limits = Known(known, frozenset(), max_sites=10, max_elements=4)
    one, other = (list(generator.propose(limits, np.random.default_rng(seed), 10)) for seed in (0, 1))
    names = [[proposal.provenance["candidate"] for proposal in proposals] for proposals in (one, other)]
    assert sorted(names[0]) == sorted(names[1]) == sorted(tables.pool_rows["material_id"])
    assert names[0] != names[1]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: rows.drop("initial_structure"), "has no column initial_structure"),
        (lambda rows: rows.with_columns(initial_structure=pl.lit("{")), "initial_structure of .*: it does not parse"),
    ],
)
def test_a_table_that_cannot_be_proposed_is_refused(tables, known, change, told):
    tables.write_pool(change(tables.pool_rows))
    generator = GENERATORS.make("pool", GENERATORS.settings("pool", {"name": "pool", "path": str(tables.pool)}))
    limits = Known(known, frozenset(), max_sites=10, max_elements=4)
    with pytest.raises(LodestoneError, match=told):
        list(generator.propose(limits, np.random.default_rng(0), 10))
