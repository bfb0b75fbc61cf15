import numpy as np
import pytest

from lodestone.crystals.compositions import N_ELEMENTS
from lodestone.models.baseline import ElementBaseline


@pytest.fixture
def decompositions():
    """Compositions of three elements and the energies that a sum over elements gives them."""
    fractions = np.zeros((60, N_ELEMENTS))
    fractions[:, [3, 8, 26]] = np.random.default_rng(0).dirichlet(np.ones(3), 60)
    energies = fractions[:, 3] * -1.5 + fractions[:, 8] * -3.0 + fractions[:, 26] * 0.5
    return fractions, energies


def test_a_sum_over_elements_is_recovered(decompositions):
    baseline = ElementBaseline.fit(*decompositions, ridge=1e-9)
    assert baseline.coefficients[[3, 8, 26]] == pytest.approx([-1.5, -3.0, 0.5], abs=1e-6)
    assert baseline.scale == 1e-6  # nothing left to learn, but never zero


def test_elements_never_seen_contribute_nothing(decompositions):
    baseline = ElementBaseline.fit(*decompositions)
    assert np.count_nonzero(baseline.coefficients) == 3
    assert np.flatnonzero(baseline.seen).tolist() == [3, 8, 26]


def test_compositions_of_elements_never_seen_are_told_until_they_are_learned_from(decompositions):
    baseline = ElementBaseline.fit(*decompositions)
    asked = np.zeros((3, N_ELEMENTS))
    asked[0, [3, 8]], asked[1, [3, 11]], asked[2, 11] = 0.5, 0.5, 1.0
    assert baseline.knows(asked).tolist() == [True, False, False]
    later = baseline.including(asked[1:2])
    assert later.knows(asked).tolist() == [True, True, True]
    assert np.array_equal(later.coefficients, baseline.coefficients)


def test_a_single_crystal_has_a_scale(decompositions):
    fractions, energies = decompositions
    one = ElementBaseline.fit(fractions[:1], energies[:1])
    assert one.scale > 0.1
    assert abs(one.standardize(fractions[:1], energies[:1])[0]) == pytest.approx(1)


def test_residuals_have_unit_size_and_are_restored(decompositions):
    fractions, energies = decompositions
    energies = energies + np.random.default_rng(1).normal(0, 0.3, len(energies))
    baseline = ElementBaseline.fit(fractions, energies)
    outputs = baseline.standardize(fractions, energies)
    assert np.sqrt(np.mean(outputs**2)) == pytest.approx(1.0)
    assert baseline.restore(fractions, outputs) == pytest.approx(energies)
    assert baseline.restore(fractions, np.stack([outputs, 2 * outputs])).shape == (2, len(energies))
