"""Angles between bonds: right for known coordinations, the same for a scaled crystal, smooth where atoms move."""

import numpy as np
import pytest
from crystal_moves import fluorite, hexagonal_metal, perovskite, rocksalt, triclinic
from numpy.polynomial.legendre import legval

from lodestone.crystals.angles import N_ANGULAR, angles_of_bonds
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.graph import neighbor_graph, orbit_graph

TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
SQUARE = np.array([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0.0]])
DEGREES = N_ANGULAR // 2


def around_one_atom(directions: np.ndarray, lengths: float | np.ndarray = 2.0) -> np.ndarray:
    distance = np.broadcast_to(lengths, len(directions)).astype(float)
    target = np.zeros(len(directions), dtype=int)
    return angles_of_bonds(target, distance, directions * distance[:, None], np.arange(len(directions)))


@pytest.mark.parametrize(
    ("directions", "cosines"), [(TETRAHEDRON, [-1 / 3, -1 / 3, -1 / 3]), (SQUARE, [0, 0, -1]), (SQUARE[:2], [0])]
)
def test_they_are_means_of_legendre_polynomials_over_the_other_bonds(directions, cosines):
    found = around_one_atom(directions)
    for degree in range(1, DEGREES + 1):
        expected = sum(legval(cosine, np.eye(DEGREES + 1)[degree]) for cosine in cosines) / (1 + len(cosines))
        assert found[:, degree - 1] == pytest.approx(expected, abs=1e-6)
        assert found[:, DEGREES + degree - 1] == pytest.approx(expected, abs=1e-6)  # all are as near as the nearest


def test_a_bond_alone_has_no_angles():
    assert around_one_atom(SQUARE[:1]).tolist() == [[0.0] * N_ANGULAR]


def test_what_lengths_do_not_tell_apart_angles_do():
    assert np.abs(around_one_atom(TETRAHEDRON) - around_one_atom(SQUARE)).max() > 0.1


def test_far_bonds_fade_without_a_step():
    """The second shell reaches further than the first; where each ends nothing jumps."""
    far = [around_one_atom(SQUARE, np.array([2, 2, 2, length])) for length in np.arange(2.0, 5.0, 0.01)]
    assert np.abs(np.diff(far, axis=0)).max() < 0.02
    first = np.array([values[0, :DEGREES] for values in far])
    assert np.allclose(first[-1], first[np.arange(2.0, 5.0, 0.01) > 2.8][0])
    assert not np.allclose(far[-1][0, DEGREES:], far[85][0, DEGREES:])


@pytest.mark.parametrize("crystal", [rocksalt(), perovskite(), fluorite(), hexagonal_metal(), triclinic(3)])
@pytest.mark.parametrize("scale", [0.9, 1.15])
def test_those_of_a_scaled_crystal_are_the_same(crystal, scale):
    def of(crystal, scale):
        graph = neighbor_graph(crystal, 6.0 * scale, 1000)
        return graph.angles[np.lexsort((graph.distance.round(3), graph.source, graph.target))]

    bigger = crystal.scaled_to(crystal.volume * scale**3)
    assert np.allclose(np.sort(of(bigger, scale), axis=0), np.sort(of(crystal, 1.0), axis=0), atol=1e-4)


def test_how_many_neighbors_are_kept_changes_no_angle():
    few, all_of_them = (neighbor_graph(triclinic(7), 6.0, neighbors) for neighbors in (4, 1000))
    rows = {(s, t, round(float(d), 4)): row for row, (s, t, d) in enumerate(edges(all_of_them))}
    for row, (s, t, d) in enumerate(edges(few)):
        assert np.allclose(few.angles[row], all_of_them.angles[rows[s, t, round(float(d), 4)]])


def test_the_angles_of_an_orbit_are_those_of_its_atoms():
    """Rock salt: the bonds of each kind are equal by symmetry."""
    whole, reduced = neighbor_graph(rocksalt(), 4.5, 18), orbit_graph(rocksalt(), 4.5, 18)
    for s, t, d, angles in zip(reduced.source, reduced.target, reduced.distance, reduced.angles, strict=True):
        same = (np.abs(whole.distance - d) < 1e-3) & ((whole.source == whole.target) == (s == t))
        assert np.allclose(whole.angles[same], angles, atol=1e-5)


def test_elements_have_no_part_in_it():
    crystal = perovskite()
    other = Crystal(crystal.lattice, crystal.atomic_numbers[::-1], crystal.frac_coords)
    assert np.array_equal(neighbor_graph(crystal, 5.0, 12).angles, neighbor_graph(other, 5.0, 12).angles)


def edges(graph):
    return list(zip(graph.source.tolist(), graph.target.tolist(), graph.distance.tolist(), strict=True))
