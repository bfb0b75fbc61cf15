"""The loop: it spends the budget as it was told, reveals no more than it chooses, and is as good as its predictions."""

from dataclasses import replace

import numpy as np
import pytest

from lodestone.config.registry import ORACLES
from lodestone.discovery.batches import BatchLimits
from lodestone.ensemble.calibration import Calibration
from lodestone.ensemble.predictor import Prediction
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Label
from lodestone.replay.campaign import Limits, Run, reveal, run_campaign
from lodestone.replay.policies import Policy
from lodestone.replay.summary import figures
from lodestone.replay.tables import read_known, read_pool

ENERGY = "formation_energy_per_atom"


def prediction_of(mean):
    """Certain but for a little."""
    std = np.full(len(mean), 0.01)
    return Prediction(
        mean=mean,
        std=std,
        views={"structure": mean},
        spread=std,
        weights={"structure": np.ones(len(mean))},
        out_of_distribution=[""] * len(mean),
        calibration=Calibration.none(),
    )


class Clairvoyant:
    """Knows every label of the pool; notes what it is told."""

    def __init__(self, energies):
        self.energies = energies
        self.learned = []

    def predict(self, rows):
        return prediction_of(self.energies[rows])

    def latents(self, rows):
        return np.asarray(rows, dtype=float)[:, None]

    def learn(self, revealed, round_number):
        self.learned.append((round_number, list(revealed.names)))


class Watched:
    """An oracle that notes what it was asked, and refuses some."""

    def __init__(self, oracle, refused=()):
        self.oracle, self.refused, self.asked = oracle, set(refused), []

    def label(self, crystals):
        self.asked.append([crystal.digest() for crystal in crystals])
        for index, label in self.oracle.label(crystals):
            yield index, Label("not_converged") if crystals[index].digest() in self.refused else label


@pytest.fixture
def pool(tables):
    return read_pool(tables.pool, read_known(tables.known))


@pytest.fixture
def energies(tables):
    return tables.pool_rows.sort("material_id")[ENERGY].to_numpy()


@pytest.fixture
def oracle(tables):
    settings = ORACLES.settings("replay", {"name": "replay", "tables": [str(tables.pool)]})
    return Watched(ORACLES.make("replay", settings))


OURS = Policy("stability_probability", "constant", ("structure",))


def run(pool, oracle, learner=None, policy=OURS, *, budget=12, rounds=3, seed=0):
    return run_campaign("ours", policy, pool, oracle, learner, limits=Limits(budget, rounds), seed=seed)


def test_who_knows_the_labels_makes_a_perfect_choice(pool, oracle, energies):
    found = run(pool, oracle, Clairvoyant(energies))
    scores = figures(found)
    assert scores["share_of_ceiling"] == 1.0
    assert scores["area"] == pytest.approx(1.0)
    assert scores["area_within_budget"] == pytest.approx(1.0)
    assert scores["acceleration"] == pytest.approx(min(12, pool.n_stable) * len(pool) / (pool.n_stable * 12))


def test_who_believes_the_opposite_finds_nothing_at_first(pool, oracle, energies):
    found = run(pool, oracle, Clairvoyant(-energies), Policy("lowest_energy", "constant", ("structure",)), budget=6)
    assert figures(found)["area_within_budget"] < 0


def test_random_choice_is_worth_one_on_average(pool, oracle):
    policy = Policy("random")
    found = [figures(run(pool, oracle, None, policy, seed=seed)) for seed in range(300)]
    assert np.mean([one["acceleration"] for one in found]) == pytest.approx(1, abs=0.06)
    assert np.mean([one["area"] for one in found]) == pytest.approx(0, abs=0.05)
    assert np.mean([one["area_within_budget"] for one in found]) == pytest.approx(0, abs=0.05)


def test_the_budget_is_shared_by_the_rounds_and_each_candidate_is_revealed_once(pool, oracle, energies):
    found = run(pool, oracle, Clairvoyant(energies), budget=13)
    assert [len(one) for one in found.finds] == [5, 4, 4]
    asked = [digest for batch in oracle.asked for digest in batch]
    assert len(asked) == len(set(asked)) == 13
    assert len(found.rest) == len(pool) - 13
    assert sum(map(sum, found.finds)) + sum(found.rest) == pool.n_stable


def test_each_round_learns_all_that_was_revealed_before_and_nothing_else(pool, oracle, energies):
    learner = Clairvoyant(energies)
    run(pool, oracle, learner)
    names = dict(zip([crystal.digest() for crystal in pool.initial], pool.table["material_id"], strict=True))
    revealed = [[names[digest] for digest in batch] for batch in oracle.asked]
    assert learner.learned == [(1, revealed[0]), (2, revealed[0] + revealed[1])]


def test_a_static_policy_learns_nothing(pool, oracle, energies):
    learner = Clairvoyant(energies)
    run(pool, oracle, learner, Policy("stability_probability", "constant", ("structure",), learns=False))
    assert not learner.learned


def test_equal_seeds_give_equal_choices(pool, oracle):
    one, same, other = (run(pool, oracle, None, Policy("random"), seed=seed) for seed in (0, 0, 1))
    assert one.finds == same.finds
    assert oracle.asked[:3] == oracle.asked[3:6]
    assert oracle.asked[:3] != oracle.asked[6:]
    assert other.n_stable == one.n_stable


def test_what_the_oracle_refuses_costs_its_share_of_the_budget_and_is_not_learned(pool, tables, oracle):
    rows = np.arange(4)
    watched = Watched(oracle.oracle, refused=[pool.initial[1].digest()])
    revealed = reveal(watched, pool, rows)
    expected = tables.pool_rows.sort("material_id").head(4)
    assert revealed.names == tuple(expected["material_id"].gather([0, 2, 3]))
    assert revealed.energies.tolist() == expected[ENERGY].gather([0, 2, 3]).to_list()


@pytest.mark.parametrize(
    ("budget", "rounds", "told"),
    [(10_000, 3, "a budget of 10000 is more than the"), (2, 3, "leaves nothing to verify in some of 3 rounds")],
)
def test_budgets_that_cannot_be_spent_are_refused(pool, oracle, budget, rounds, told):
    with pytest.raises(LodestoneError, match=told):
        run(pool, oracle, None, Policy("random"), budget=budget, rounds=rounds)


def test_a_run_survives_its_file(pool, oracle):
    found = run(pool, oracle, None, Policy("random"))
    assert Run.from_dict(found.as_dict()) == found


@pytest.mark.parametrize("limits", [{"per_chemsys": 1}, {"per_prototype": 1}, {"latent_distance": 2.5}])
def test_a_policy_may_limit_what_is_verified_together(pool, oracle, energies, limits):
    policy = replace(OURS, limits=BatchLimits(**limits))
    found, free = (run(pool, oracle, Clairvoyant(energies), one, budget=20, rounds=2) for one in (policy, OURS))
    assert [len(batch) for batch in found.finds] == [10, 10]
    by_digest = {crystal.digest(): row for row, crystal in enumerate(pool.initial)}
    rounds = [pool.table[[by_digest[digest] for digest in asked]] for asked in oracle.asked]
    rows = [sorted(by_digest[digest] for digest in asked) for asked in oracle.asked]
    for table, chosen in zip(rounds[:2], rows[:2], strict=True):
        assert "per_chemsys" not in limits or table["chemsys"].is_unique().all()
        assert "per_prototype" not in limits or table["prototype"].is_unique().all()
        assert "latent_distance" not in limits or np.diff(chosen).min() >= 2.5
    assert free.finds
    assert rows[:2] != rows[2:]


def test_what_the_limits_leave_is_spent_by_rank(pool, oracle, energies):
    policy = replace(OURS, limits=BatchLimits(latent_distance=1e9))
    limited, free = (run(pool, oracle, Clairvoyant(energies), one) for one in (policy, OURS))
    assert limited == free
