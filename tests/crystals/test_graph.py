"""The neighbor graph: complete, and the same for every cell of a crystal."""

from itertools import product

import numpy as np
import pytest
import vesin
from crystal_moves import MOVES, fluorite, hexagonal_metal, perovskite, rocksalt, triclinic

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.graph import neighbor_graph, orbit_graph
from lodestone.errors import LodestoneError

COPPER = Crystal(3.6 * np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]), [29], [[0, 0, 0]])


def brute_force(crystal: Crystal, cutoff: float, neighbors: int) -> list[tuple[int, int, float]]:
    """Every edge by trying every image: nearest first, up to the end of the shell of the last one wanted."""
    heights = crystal.volume / np.linalg.norm(np.cross(*[np.roll(crystal.lattice, -s, axis=0) for s in (1, 2)]), axis=1)
    reach = np.ceil(cutoff / heights + np.ptp(crystal.frac_coords, axis=0)).astype(int)
    images = np.array(list(product(*(range(-r, r + 1) for r in reach)))) @ crystal.lattice
    edges = []
    for target, here in enumerate(crystal.cart_coords):
        distances = np.linalg.norm(crystal.cart_coords[:, None] + images - here, axis=-1)
        near = [(s, d) for s, row in enumerate(distances) for d in row if 1e-8 < d <= cutoff]
        last = sorted(d for _, d in near)[:neighbors][-1]
        edges += [(source, target, d) for source, d in near if d <= last + 0.1]
    return sorted(edges)


def shells(crystal: Crystal) -> np.ndarray:
    """Edges as (element, element, distance), sorted; per atom of the primitive description."""
    graph = neighbor_graph(crystal, 6.0, 12)
    z = crystal.atomic_numbers.astype(int)
    return np.array(sorted(zip(z[graph.source], z[graph.target], np.round(graph.distance, 3), strict=True)))


@pytest.mark.parametrize("neighbors", [3, 12, 1000])
@pytest.mark.parametrize("crystal", [triclinic(1), triclinic(2), triclinic(3, 2), hexagonal_metal(), COPPER])
def test_edges_are_those_of_brute_force(crystal, neighbors):
    graph = neighbor_graph(crystal, 6.0, neighbors)
    edges = sorted(zip(graph.source, graph.target, graph.distance, strict=True))
    expected = brute_force(crystal, 6.0, neighbors)
    assert len(edges) == len(expected)
    assert [edge[:2] for edge in edges] == [edge[:2] for edge in expected]
    assert np.allclose([edge[2] for edge in edges], [edge[2] for edge in expected], atol=1e-5)
    assert (np.diff(graph.target) >= 0).all()


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("crystal", [rocksalt(), perovskite(), hexagonal_metal(), fluorite(), triclinic(5)])
def test_edges_are_the_same_in_any_cell(crystal, move):
    moved = move(crystal)
    expected = np.repeat(shells(crystal), len(moved) // len(crystal), axis=0)
    result = shells(moved)
    assert result.shape == expected.shape
    assert np.allclose(result, expected, atol=2e-3)


@pytest.mark.parametrize(("neighbors", "kept"), [(1, 12), (12, 12), (13, 18), (19, 42)])
def test_the_last_shell_is_kept_whole(neighbors, kept):
    assert len(neighbor_graph(COPPER, 6.0, neighbors).source) == kept  # shells of fcc: 12, 6, 24, ...


def test_the_cutoff_ends_the_search():
    graph = neighbor_graph(COPPER, 3.0, 100)
    assert len(graph.source) == 12
    assert graph.distance == pytest.approx(3.6 / np.sqrt(2))


def test_an_isolated_atom_widens_the_cutoff():
    graph = neighbor_graph(Crystal(np.eye(3) * 8.0, [54], [[0, 0, 0]]), 6.0, 12)
    assert graph.distance == pytest.approx(8.0)
    assert len(graph.source) == 6


def test_an_atom_out_of_reach_is_an_error():
    with pytest.raises(LodestoneError, match="Xe has no neighbor within 30 Å"):
        neighbor_graph(Crystal(np.eye(3) * 60.0, [54], [[0, 0, 0]]), 6.0, 12)


@pytest.mark.parametrize("move", MOVES)
def test_the_orbit_graph_of_rock_salt_is_the_same_in_any_cell(move):
    """Two kinds of atoms; each has 6 of the other at a/2 and 12 of its own at a/sqrt(2)."""
    crystal = move(rocksalt())
    graph = orbit_graph(crystal, 4.5, 18)
    assert sorted(graph.atomic_numbers) == sorted(set(crystal.atomic_numbers.tolist()))
    assert graph.atoms.tolist() == [len(crystal) / 2] * 2
    assert graph.target.tolist() == [0, 0, 1, 1]
    own = graph.source == graph.target
    assert graph.bonds[own].tolist() == [12, 12]
    assert graph.bonds[~own].tolist() == [6, 6]
    assert graph.distance[own] == pytest.approx(np.sqrt(2) * graph.distance[~own], abs=1e-3)


def test_without_symmetry_every_atom_and_bond_stays():
    crystal = triclinic(4)
    whole, reduced = neighbor_graph(crystal, 6.0, 12), orbit_graph(crystal, 6.0, 12)
    assert reduced.atoms.tolist() == [1] * len(crystal)
    assert reduced.bonds.sum() == len(whole.source)
    for atom in range(len(crystal)):
        mean = np.average(reduced.distance[reduced.target == atom], weights=reduced.bonds[reduced.target == atom])
        assert mean == pytest.approx(whole.distance[whole.target == atom].mean(), abs=1e-5)


def test_neighbors_are_sought_on_one_thread(monkeypatch):
    """Worker processes that each take all cores fight for them."""
    threads = []

    class Recorded(vesin.NeighborList):
        def __init__(self, **options):
            threads.append(options.get("n_threads", 0))
            super().__init__(**options)

    monkeypatch.setattr("vesin.NeighborList", Recorded)
    neighbor_graph(rocksalt(), 4.0, 6)
    assert threads == [1]
