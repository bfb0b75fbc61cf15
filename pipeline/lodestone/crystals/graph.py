"""Periodic neighbor graphs, and their reduction by symmetry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lodestone.crystals.angles import angles_of_bonds
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.pairs import pairs_within
from lodestone.crystals.symmetry import orbits_of
from lodestone.errors import LodestoneError

# A shell of neighbors ends at a gap; equal distances differ by rounding only, so any width well above that keeps the
# graph the same in every supercell.
SHELL_WIDTH = 0.1
_LARGEST_CUTOFF = 30.0
_SAME_LENGTH = 0.01  # Å: bonds of the same kind differ by less


@dataclass(frozen=True)
class Graph:
    """Directed edges of a periodic crystal.

    Attributes:
        source: Atom each edge comes from, shape ``(e,)``.
        target: Atom each edge ends at, shape ``(e,)``, ascending.
        distance: Length of each edge, shape ``(e,)``, Å.
        angles: Angular features of each edge at its target, shape ``(e, N_ANGULAR)``; see
            :mod:`lodestone.crystals.angles`.
    """

    source: np.ndarray
    target: np.ndarray
    distance: np.ndarray
    angles: np.ndarray


@dataclass(frozen=True)
class OrbitGraph:
    """A periodic crystal with one node per orbit of equivalent atoms and one edge per kind of bond between orbits.

    Equivalent atoms have the same neighbors at the same distances, so a network on this graph has the same information
    as one on all atoms, at a fraction of the cost. Where bonds between two orbits have the same length by chance, the
    mean of their angles is all that is left of these.

    Attributes:
        atomic_numbers: Shape ``(o,)``.
        atoms: Number of atoms of the cell in each orbit, shape ``(o,)``.
        source: Orbit each edge comes from, shape ``(e,)``.
        target: Orbit each edge ends at, shape ``(e,)``, ascending.
        distance: Mean length of these bonds, shape ``(e,)``, Å.
        bonds: Mean number of them ending at each atom, shape ``(e,)``.
        angles: Mean angular features of these bonds at their target, shape ``(e, N_ANGULAR)``.
    """

    atomic_numbers: np.ndarray
    atoms: np.ndarray
    source: np.ndarray
    target: np.ndarray
    distance: np.ndarray
    bonds: np.ndarray
    angles: np.ndarray


def orbit_graph(
    crystal: Crystal,
    cutoff: float,
    neighbors: int,
    shell: float = SHELL_WIDTH,
    orbits: np.ndarray | None = None,
) -> OrbitGraph:
    """Reduce the neighbor graph by the symmetry of the crystal; see :func:`neighbor_graph`.

    Bonds are averaged over all atoms of an orbit, so the result does not depend on a choice of representative atom.

    Args:
        crystal: As there, like the next three.
        cutoff: Å.
        neighbors: Edges per atom.
        shell: Å.
        orbits: What :func:`orbits_of` gives, where it is known already.
    """
    graph = neighbor_graph(crystal, cutoff, neighbors, shell)
    orbits = orbits_of(crystal) if orbits is None else orbits
    atoms = np.bincount(orbits)
    source, target = orbits[graph.source], orbits[graph.target]
    order = np.lexsort((graph.distance, source, target))
    source, target, distance, angles = source[order], target[order], graph.distance[order], graph.angles[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (np.diff(target) != 0) | (np.diff(source) != 0) | (np.diff(distance) > _SAME_LENGTH)
    kind = np.cumsum(first) - 1
    count = np.bincount(kind)
    numbers = np.empty(len(atoms), dtype=np.int64)
    numbers[orbits] = crystal.atomic_numbers
    return OrbitGraph(
        numbers,
        atoms.astype(np.float32),
        source[first].astype(np.int64),
        target[first].astype(np.int64),
        (np.bincount(kind, weights=distance) / count).astype(np.float32),
        (count / atoms[target[first]]).astype(np.float32),
        np.add.reduceat(angles, np.flatnonzero(first), axis=0) / count[:, None].astype(np.float32),
    )


def neighbor_graph(crystal: Crystal, cutoff: float, neighbors: int, shell: float = SHELL_WIDTH) -> Graph:
    """Connect each atom to its nearest neighbors, keeping the last shell whole.

    Counting neighbors alone would cut through shells of equal distance, and the choice would depend on the cell.

    Args:
        crystal: Any cell.
        cutoff: Longest edge, Å; widened for crystals in which an atom has no neighbor within it.
        neighbors: Edges per atom, more where the last shell needs it, fewer where the cutoff ends first.
        shell: Width of the last shell, Å.

    Raises:
        LodestoneError: If an atom has no neighbor within 30 Å.
    """
    target, source, distance, vectors = pairs_within(crystal, cutoff, "ijdD")
    counts = np.bincount(target, minlength=len(crystal))
    if counts.min() == 0:
        if cutoff >= _LARGEST_CUTOFF:
            raise LodestoneError(
                f"an atom of {''.join(crystal.species)[:40]} has no neighbor within {cutoff:.0f} Å",
                "the cell is unphysically large: tighten validate.volume_per_atom",
            )
        return neighbor_graph(crystal, 1.5 * cutoff, neighbors, shell)
    order = np.lexsort((source, distance, target))
    target, source, distance, vectors = target[order], source[order], distance[order], vectors[order]
    starts = np.cumsum(counts) - counts
    furthest = distance[starts + np.minimum(neighbors, counts) - 1]
    kept = distance <= furthest[target] + shell
    angles = angles_of_bonds(target, distance, vectors, np.flatnonzero(kept))
    return Graph(
        source[kept].astype(np.int64), target[kept].astype(np.int64), distance[kept].astype(np.float32), angles
    )
