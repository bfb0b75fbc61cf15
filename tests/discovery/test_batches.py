"""Batches that are not all alike."""

import numpy as np
import polars as pl
import pytest
from world import World

from lodestone.config.rounds import RoundParams
from lodestone.crystals.encoding import decode
from lodestone.discovery.batches import BatchLimits, batch
from lodestone.discovery.round import run_round

RANKED = pl.DataFrame(
    {
        "chemsys": ["A-B", "A-B", "A-C", "A-C", "A-B", "B-C"],
        "prototype": ["salt", "salt", "salt", "spinel", "spinel", "salt"],
        "generator": ["one", "one", "one", "one", "other", "other"],
    }
)
LINE = np.array([[0.0], [0.4], [1.0], [1.2], [2.0], [2.1]])


@pytest.mark.parametrize(
    ("limits", "rows"),
    [
        ({}, [0, 1, 2, 3]),
        ({"per_chemsys": 1}, [0, 2, 5]),
        ({"per_prototype": 1}, [0, 3]),
        ({"per_prototype": 2}, [0, 1, 3, 4]),
        ({"per_chemsys": 1, "per_prototype": 1}, [0, 3]),
        ({"generator_share": 0.5}, [0, 1, 4, 5]),
        ({"generator_share": 0.75}, [0, 1, 2, 4]),
        ({"generator_share": 0.25}, [0, 4, 1, 2]),  # one each, and then the others of the ranking
        ({"generator_share": 0.5, "per_chemsys": 1}, [0, 2, 5]),
        ({"latent_distance": 0.5}, [0, 2, 4]),
        ({"latent_distance": 1.0}, [0, 2, 4]),
        ({"latent_distance": 1.1}, [0, 3]),
    ],
)
def test_the_first_of_a_ranking_are_taken_as_far_as_the_limits_allow(limits, rows):
    assert batch(RANKED, 4, BatchLimits(**limits), LINE) == rows


def test_columns_that_are_not_limited_are_not_needed():
    assert batch(RANKED.select("prototype"), 3, BatchLimits()) == [0, 1, 2]
    assert batch(RANKED.clear(), 3, BatchLimits(per_chemsys=1, generator_share=0.5)) == []
    assert batch(RANKED, 0, BatchLimits(generator_share=0.5)) == []


@pytest.fixture(scope="module")
def own(start):
    """A world of these tests: another one counts how often it was asked."""
    return World(start.hull(), start.references)


@pytest.fixture
def spread(start, own, params):
    """Candidates that one round gives to the oracle."""

    def _spread(ensemble=own, **changes):
        limits = {"acquisition": "lowest_energy", "max_per_chemsys": 1000} | changes
        rounds = {"round_0": RoundParams(next="after", budget=20, random_baseline=5)}
        update = {"discovery": params.discovery.model_copy(update=limits), "rounds": rounds}
        result = run_round("round_0", start, ensemble, params.model_copy(update=update), own.label)
        return result.candidates.filter(pl.col("acquired_by") != "none")

    return _spread


def test_a_campaign_limits_prototypes(spread):
    most = [
        chosen.group_by("acquired_by", "prototype").len()["len"].max()
        for chosen in (spread(), spread(max_per_prototype=1))
    ]
    assert most[0] > most[1] == 1


def test_a_campaign_keeps_its_choices_apart(spread, own):
    class Seeing:
        """Sees the volume per atom and nothing else."""

        def __getattr__(self, name):
            return getattr(own, name)

        def latents(self, crystals, input_structure):
            assert input_structure == "unrelaxed"
            return np.array([[crystal.volume / len(crystal)] for crystal in crystals])

    chosen = spread(Seeing(), min_latent_distance=0.5).filter(pl.col("acquired_by") == "model")
    volumes = np.sort([crystal.volume / len(crystal) for crystal in decode(chosen)])
    assert len(volumes) > 10
    assert np.diff(volumes).min() >= 0.5
