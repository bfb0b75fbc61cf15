"""The hull is pymatgen's hull, and the decomposition is a mixture of phases on it."""

import numpy as np
import polars as pl
import pytest
from phases import SYMBOLS, distances_by_pymatgen, fractions_of, random_phases

from lodestone.crystals.compositions import atomic_fractions
from lodestone.stability.hull import ConvexHull, describe_decomposition

KINDS = ("random", "levels", "plane", "tent", "nearly")
EXACT = 1e-9  # eV/atom


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_elements", [1, 2, 3, 4, 5, 6, 7])
def test_distances_are_those_of_pymatgen(n_elements, kind):
    for seed in range(4 if n_elements < 6 else 2):
        amounts, energies = random_phases(seed, n_elements, kind)
        symbols = SYMBOLS[:n_elements]
        fractions = fractions_of(amounts, symbols)
        hull = ConvexHull(fractions, energies)
        distances = hull.energies_above_hull(fractions, energies)
        assert np.abs(distances - distances_by_pymatgen(amounts, energies, symbols)).max() < EXACT
        assert np.abs(hull.distances - distances).max() < EXACT


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_elements", [1, 2, 3, 5])
def test_phases_that_arrive_later_change_the_hull_as_if_they_had_been_there(n_elements, kind):
    for seed in range(6):
        amounts, energies = random_phases(seed, n_elements, kind)
        fractions = fractions_of(amounts, SYMBOLS[:n_elements])
        energies[0] = -0.1 * (seed % 2)  # the lowest crystal of an element may arrive late, too
        anew = ConvexHull(fractions, energies)
        draw = np.random.default_rng(seed).permutation(len(energies))
        hull, seen = ConvexHull(fractions[:0], energies[:0]), draw[:0]
        for batch in np.array_split(draw, 3):
            before = hull.distances.copy()
            grown = hull.with_phases(fractions[batch], energies[batch])
            assert (hull.distances == before).all()  # the old one stays as it was
            hull, seen = grown, np.append(seen, batch)
        assert np.abs(hull.distances - anew.distances[seen]).max() < EXACT
        assert np.abs(hull.hull_energies(fractions) - anew.hull_energies(fractions)).max() < EXACT


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_elements", [2, 3, 4])
def test_decomposition_energy_is_the_distance_to_the_hull_of_the_others(n_elements, kind):
    amounts, energies = random_phases(3, n_elements, kind)
    fractions = fractions_of(amounts, SYMBOLS[:n_elements])
    computed = ConvexHull(fractions, energies).decomposition_energies(fractions, energies)
    for row, x in enumerate(fractions):
        others = np.abs(fractions - x).max(axis=1) > 1e-9
        hull = ConvexHull(fractions[others], energies[others])
        expected = energies[row] - hull.hull_energies(x[None])[0]
        assert np.isnan(computed[row]) if x.max() == 1 else abs(computed[row] - expected) < EXACT


def test_of_a_new_element_and_a_compound_of_it_both_count():
    fractions = fractions_of(np.array([[1, 1, 0], [0, 0, 1], [1, 1, 2]]), ("Li", "O", "Fe"))
    hull = ConvexHull(fractions[:1], np.array([-1.0])).with_phases(fractions[1:], np.array([-0.2, -0.9]))
    assert hull.distances == pytest.approx([0, 0, 0])
    assert hull.hull_energies(fractions[2:]) == pytest.approx([-0.9])
    assert hull.decompositions(fractions) == [[(0, 1.0)], [(1, 1.0)], [(2, 1.0)]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_elements", [1, 2, 3, 4, 5])
def test_decomposition_is_a_mixture_of_stable_phases_at_the_energy_of_the_hull(n_elements, kind):
    amounts, energies = random_phases(7, n_elements, kind)
    fractions = fractions_of(amounts, SYMBOLS[:n_elements])
    hull = ConvexHull(fractions, energies)
    distances = hull.energies_above_hull(fractions, energies)
    somewhere = np.random.default_rng(n_elements).dirichlet(np.ones(n_elements), 20)
    for x in np.vstack([fractions, fractions_of(somewhere, SYMBOLS[:n_elements])]):
        decomposition = hull.decompositions(x[None])[0]
        assert min(amount for _, amount in decomposition) > 0
        assert sum(amount for _, amount in decomposition) == pytest.approx(1, abs=1e-7)
        assert sum(amount * _phase(p, fractions, energies)[1] for p, amount in decomposition) == pytest.approx(
            hull.hull_energies(x[None])[0], abs=1e-7
        )
        assert sum(amount * _phase(p, fractions, energies)[0] for p, amount in decomposition) == pytest.approx(
            x, abs=1e-7
        )
        assert all(distances[p] < EXACT for p, _ in decomposition if p >= 0)


def _phase(index: int, fractions: np.ndarray, energies: np.ndarray) -> tuple[np.ndarray, float]:
    """Composition and energy of a phase as the decomposition names it."""
    return (fractions[index], energies[index]) if index >= 0 else (np.eye(fractions.shape[1])[-index], 0.0)


def lithium_oxides(*energies: float) -> tuple[np.ndarray, ConvexHull]:
    fractions = fractions_of(np.array([[2, 1], [1, 1], [2, 1]]), ("Li", "O"))
    return fractions, ConvexHull(fractions, np.array(energies))


def test_of_equal_compositions_the_lowest_counts_and_the_first_of_equals():
    fractions, hull = lithium_oxides(-1.9, -1.0, -2.0)
    assert hull.decompositions(fractions)[0] == [(2, pytest.approx(1))]
    assert hull.hull_energies(fractions[:1])[0] == pytest.approx(-2.0)
    fractions, hull = lithium_oxides(-2.0, -1.0, -2.0)
    assert hull.decompositions(fractions)[0][0][0] == 0


def test_a_new_phase_below_the_hull_is_negative_and_one_on_it_is_zero():
    fractions, hull = lithium_oxides(-2.0, -1.7, -1.0)
    distances = hull.energies_above_hull(fractions[[0, 0, 1]], np.array([-2.25, -2.0 + 1e-12, -1.2]))
    assert distances[0] == pytest.approx(-0.25)
    assert distances[1] == 0
    assert distances[2] == pytest.approx(0.5)


def test_unstable_phase_decomposes_into_its_neighbors():
    fractions, hull = lithium_oxides(-2.0, -1.0, -1.5)
    decomposition = hull.decompositions(fractions)[1]
    assert decomposition == [(0, pytest.approx(0.75)), (-8, pytest.approx(0.25))]
    assert describe_decomposition(decomposition, ["Li2O", "LiO", "Li2O"]) == "0.75 Li2O + 0.25 O"


def test_systems_without_compounds_are_flat_and_phases_above_the_elements_change_nothing():
    fractions, hull = lithium_oxides(0.3, 0.1, 1.0)
    assert (hull.hull_energies(fractions) == 0).all()
    assert ConvexHull(fractions[:0], np.zeros(0)).hull_energies(fractions).tolist() == [0, 0, 0]


def test_phases_of_other_systems_do_not_count():
    fractions = fractions_of(np.array([[1, 1, 0], [1, 1, 1]]), ("Li", "O", "Fe"))
    hull = ConvexHull(fractions, np.array([-1.0, -3.0]))
    assert hull.hull_energies(fractions).tolist() == pytest.approx([-1.0, -3.0])


def test_wrong_width_is_refused():
    with pytest.raises(ValueError, match="2 columns"):
        lithium_oxides(-1, -1, -1)[1].hull_energies(np.ones((1, 2)) / 2)


def test_rows_of_a_table_are_the_phases_of_its_hull():
    atoms, energies = [[11, 17], [11, 17, 17], [11]], [-2.0, -0.1, 0.5]
    hull = ConvexHull.of(pl.DataFrame({"atomic_numbers": atoms, "formation_energy_per_atom": energies}))
    chlorine = atomic_fractions([np.array([11, 17, 17])])
    assert hull.distances == pytest.approx([0, 4 / 3 - 0.1, 0.5])
    assert hull.decompositions(chlorine) == [[(0, pytest.approx(2 / 3)), (-17, pytest.approx(1 / 3))]]
