import numpy as np
import pytest

from pipeline.learning.baseline import ElementBaseline
from pipeline.stability.compositions import N_ELEMENTS


@pytest.fixture
def mixtures():
    """Compositions of three elements and the energies that a sum over elements gives them."""
    fractions = np.zeros((60, N_ELEMENTS))
    fractions[:, [3, 8, 26]] = np.random.default_rng(0).dirichlet(np.ones(3), 60)
    energies = fractions[:, 3] * -1.5 + fractions[:, 8] * -3.0 + fractions[:, 26] * 0.5
    return fractions, energies


def test_a_sum_over_elements_is_recovered(mixtures):
    baseline = ElementBaseline.fit(*mixtures, ridge=1e-9)
    assert baseline.coefficients[[3, 8, 26]] == pytest.approx([-1.5, -3.0, 0.5], abs=1e-6)
    assert baseline.scale == 1e-6  # nothing left to learn, but never zero


def test_elements_never_seen_contribute_nothing(mixtures):
    coefficients = ElementBaseline.fit(*mixtures).coefficients
    assert np.count_nonzero(coefficients) == 3


def test_residuals_have_unit_spread_and_are_restored(mixtures):
    fractions, energies = mixtures
    energies = energies + np.random.default_rng(1).normal(0, 0.3, len(energies))
    baseline = ElementBaseline.fit(fractions, energies)
    outputs = baseline.standardise(fractions, energies)
    assert outputs.std() == pytest.approx(1.0)
    assert baseline.restore(fractions, outputs) == pytest.approx(energies)
    assert baseline.restore(fractions, np.stack([outputs, 2 * outputs])).shape == (2, len(energies))
