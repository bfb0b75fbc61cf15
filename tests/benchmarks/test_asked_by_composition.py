"""The composition route measured: who is drawn, ranked and found."""

import numpy as np
import polars as pl
import pytest

import composition_route
from composition_route import Case, ground_states, rank, relax
from lodestone.crystals.crystal import Crystal
from lodestone.discovery.generators.base import Proposal, Unbuilt
from lodestone.oracles.base import Label
from lodestone.structure_prediction.formulas import Formula

SALT = Formula((11, 17), (1, 1))


def salt(size, label):
    crystal = Crystal(size * (np.ones((3, 3)) - np.eye(3)) / 2, [11, 17], [[0, 0, 0], [0.5] * 3])
    return Proposal(crystal, label, provenance={"parent": "mp-1"})


def oracle(energies):
    """One energy after the other; none for a relaxation that failed."""
    left = iter(energies)

    def label(crystals):
        found = [(crystal, next(left)) for crystal in crystals]
        return [
            Label("failed: no", None, None, 1, 2.0) if energy is None else Label("ok", energy, crystal, 1, 2.0)
            for crystal, energy in found
        ]

    return label


def test_ground_states_are_stable_small_compounds_of_the_test_set():
    crystals = pl.DataFrame(
        {
            "material_id": list("abcdef"),
            "split": ["test", "train", "test", "test", "test", "test"],
            "energy_above_hull": [0.0, 0.0, 0.1, 0.0, 0.0, 0.0],
            "nsites": [4, 4, 4, 40, 4, 4],
            "chemsys": ["Cl-Na", "Cl-Na", "Cl-Na", "Cl-Na", "Na", "Cl-K-Na"],
        }
    )
    assert set(ground_states(crystals, 10, 10, np.random.default_rng(0))["material_id"]) == {"a", "f"}


def test_structures_are_ranked_by_prediction_each_once_and_what_was_not_made_is_counted(monkeypatch):
    class Predicted:
        mean = np.array([0.3, -0.2, 0.1])  # of the labels a, b, c

    monkeypatch.setattr(composition_route, "predict_in_pieces", lambda *_: Predicted)
    case = Case(SALT, -1.0)
    proposals = [salt(5.0, "c"), Unbuilt(), salt(5.1, "a"), salt(5.2, "b"), salt(5.3, "c")]
    assert rank([case], iter(proposals), None) == 1
    assert [one.label for one in case.ranked] == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("energies", "place", "seconds"),
    [([-1.1], 1, 2.0), ([None, -1.0], 2, 4.0), ([-0.9, -0.99, -2.0], None, 4.0)],
)
def test_relaxations_go_by_rank_until_the_target_is_reached(energies, place, seconds):
    case = Case(SALT, -1.0, ranked=[salt(5.0, "a"), salt(5.1, "b"), salt(5.2, "c")])
    relax([case], oracle(energies), keep=2)
    assert (case.found_by[1] if case.found_by else None) == place
    assert case.seconds == seconds
