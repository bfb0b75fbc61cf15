"""The same crystal, described otherwise, gives the same answer; another crystal gives another."""

import numpy as np
import pytest
import torch
from transforms import ALL

from lodestone.crystals.crystal import Crystal
from lodestone.models.inference import evaluate
from lodestone.models.registry import make_dataset

TOLERANCE = 1e-5
CPU = torch.device("cpu")


@pytest.fixture
def predict(networks, params):
    def _predict(view, crystals):
        return evaluate(networks[view], make_dataset(view, crystals, params[view]), CPU)

    return _predict


@pytest.mark.parametrize("transform", ALL, ids=lambda transform: transform.__name__)
@pytest.mark.parametrize("view", ["composition", "structure"])
def test_both_networks_are_invariant(view, transform, crystals, predict):
    expected = predict(view, list(crystals.values()))
    found = predict(view, [transform(crystal) for crystal in crystals.values()])
    wrong = {
        name: (a, b)
        for name, a, b in zip(crystals, expected, found, strict=True)
        if not np.isclose(a, b, rtol=0, atol=TOLERANCE)
    }
    assert not wrong
    assert np.std(expected) > 1000 * TOLERANCE  # else agreement would mean nothing


def test_symmetry_saves_work_and_changes_nothing(crystals, predict, monkeypatch):
    """Up to angles of bonds that have one length by chance, which are averaged."""
    several = list(crystals.values())
    reduced = predict("structure", several)
    monkeypatch.setattr("lodestone.crystals.graph.orbits_of", lambda crystal: np.arange(len(crystal)))
    monkeypatch.setattr("lodestone.crystals.graph._SAME_LENGTH", -1.0)
    differences = np.abs(predict("structure", several) - reduced)
    assert (differences < 2e-3).mean() > 0.9
    assert differences.max() < 1e-2
    assert np.std(reduced) > 0.1


@pytest.mark.parametrize("transform", ALL, ids=lambda transform: transform.__name__)
def test_a_shell_of_unlike_neighbors_is_not_cut(transform, predict):
    """Ordered rock salt NaFeO2: each sodium has 6 oxygens, then 4 sodiums and 8 irons at one distance."""
    cations = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    anions = [[0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5], [0.5, 0.5, 0.5]]
    ordered = Crystal(4.2 * np.eye(3), [11, 11, 26, 26, 8, 8, 8, 8], cations + anions)
    assert np.ptp(predict("structure", [ordered, transform(ordered)])) < TOLERANCE


def test_multiples_of_a_formula_are_one_composition(predict):
    once = [(11, 17), (22, 8, 8), (20, 22, 8, 8, 8)]
    cells = [Crystal(np.eye(3), list(z) * n, np.zeros((n * len(z), 3))) for n in (1, 3, 7) for z in once]
    values = predict("composition", cells).reshape(3, 3)
    assert values == pytest.approx(np.tile(values[0], (3, 1)), abs=TOLERANCE)
    assert np.ptp(values[0]) > 1e-3


def test_proportions_matter_to_the_composition_view(predict):
    mixes = [(11, 17), (11, 11, 17), (11, 17, 17)]
    values = predict("composition", [Crystal(np.eye(3), z, np.zeros((len(z), 3))) for z in mixes])
    assert np.min(np.abs(np.diff(np.sort(values)))) > 1e-3


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.scaled_to(1.05 * c.volume),
        lambda c: Crystal(c.lattice, c.atomic_numbers, c.frac_coords * np.array([1.0, 1.0, 0.97])),
        lambda c: Crystal(c.lattice * [1.0, 1.0, 1.04], c.atomic_numbers, c.frac_coords),
    ],
    ids=["volume", "coordinates", "axial ratio"],
)
def test_geometry_matters_to_the_structure_view_only(change, crystals, predict):
    several = [crystal for crystal in crystals.values() if np.ptp(crystal.frac_coords[:, 2]) > 0.2]
    changed = [change(crystal) for crystal in several]
    difference = np.abs(predict("structure", several) - predict("structure", changed))
    assert len(several) > 8
    assert difference.min() > 5 * TOLERANCE
    assert np.median(difference) > 1000 * TOLERANCE
    assert np.array_equal(predict("composition", several), predict("composition", changed))


def test_who_sits_where_matters_to_the_structure_view(predict):
    """An inverse spinel-like swap: same composition, same lattice, elements exchanged between unlike sites."""
    sites = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    perovskites = [Crystal(4 * np.eye(3), z, sites) for z in ([20, 22, 8, 8, 8], [22, 20, 8, 8, 8])]
    first, second = predict("structure", perovskites)
    assert abs(first - second) > 1e-3
