import numpy as np
import pytest

from lodestone.crystals.compositions import N_ELEMENTS, fractions_of_formulas
from lodestone.models.baselines import arrays_of, fit_baseline, numbers_of, restored
from lodestone.models.hull_baseline import HullBaseline
from lodestone.stability.hull import ConvexHull

FORMULAS = ["Li2O", "Li2O", "Li2O2", "LiO3", "FeO", "Fe2O3", "LiFeO2", "Li", "O2"]
ENERGIES = np.array([-2.0, -1.7, -1.6, -0.5, -1.4, -1.7, -2.1, 0.02, 0.0])


@pytest.fixture(scope="module")
def fractions():
    return fractions_of_formulas(FORMULAS)


@pytest.fixture(scope="module")
def baseline(fractions):
    return HullBaseline.fit(fractions, ENERGIES)


def test_what_is_left_is_the_distance_to_the_hull_of_the_other_compositions(baseline, fractions):
    left = baseline.standardize(fractions, ENERGIES) * baseline.scale
    for row, formula in enumerate(FORMULAS):
        others = [other for other, name in enumerate(FORMULAS) if name != formula]
        hull = ConvexHull(fractions[others], ENERGIES[others])
        expected = hull.energies_above_hull(fractions[[row]], ENERGIES[[row]])[0]
        if formula in ("Li", "O2"):  # an element has no competing phase
            expected = ENERGIES[row]
        assert left[row] == pytest.approx(expected, abs=1e-8)
    assert left[0] < 0 < left[3]
    assert np.sqrt(np.mean((left / baseline.scale) ** 2)) == pytest.approx(1)


def test_a_label_never_enters_its_own_baseline(baseline, fractions):
    """Otherwise the networks would be told what they should learn, and a candidate has no label to be told."""
    changed = ENERGIES.copy()
    changed[6] -= 1.0
    one, other = (
        found.restore(fractions[[6]], np.zeros(1)) for found in (baseline, HullBaseline.fit(fractions, changed))
    )
    assert one == other


def test_a_candidate_of_a_new_composition_is_measured_against_all_that_is_known(baseline, fractions):
    candidate = fractions_of_formulas(["Li5FeO4"])
    expected = ConvexHull(fractions, ENERGIES).hull_energies(candidate)
    assert baseline.restore(candidate, np.zeros(1)) == pytest.approx(expected, abs=1e-8)


def test_energies_are_restored_of_any_number_of_members(baseline, fractions):
    outputs = baseline.standardize(fractions, ENERGIES)
    assert baseline.restore(fractions, outputs) == pytest.approx(ENERGIES)
    assert baseline.restore(fractions, np.stack([outputs, 2 * outputs])).shape == (2, len(ENERGIES))


def test_later_compositions_are_seen_and_move_no_hull(baseline, fractions):
    new = fractions_of_formulas(["NaO"])
    assert baseline.knows(np.concatenate([fractions[:1], new])).tolist() == [True, False]
    later = baseline.including(new)
    assert later.knows(new).tolist() == [True]
    assert np.array_equal(later.standardize(fractions, ENERGIES), baseline.standardize(fractions, ENERGIES))


@pytest.mark.parametrize("kind", ["elements", "hull"])
def test_each_kind_comes_back_exactly(kind, fractions):
    saved = fit_baseline(kind, fractions, ENERGIES)
    found = restored(numbers_of(saved), arrays_of(saved))
    assert type(found) is type(saved)
    assert found.digest() == saved.digest()
    assert np.array_equal(found.seen, saved.seen)
    assert np.array_equal(found.standardize(fractions, ENERGIES), saved.standardize(fractions, ENERGIES))


def test_other_labels_have_another_digest(baseline, fractions):
    assert HullBaseline.fit(fractions, ENERGIES).digest() == baseline.digest()
    assert HullBaseline.fit(fractions, ENERGIES - 0.1 * (ENERGIES < -2)).digest() != baseline.digest()


def test_a_single_crystal_has_a_scale():
    one = np.zeros((1, N_ELEMENTS))
    one[0, [3, 8]] = 0.5
    assert HullBaseline.fit(one, np.array([-1.0])).scale == 1.0  # against its elements
