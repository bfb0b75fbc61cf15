"""Graphs of children from that of their parent: nothing is searched again.

Exchanging elements changes neither orbits nor angles nor the order of distances, and isotropic scaling multiplies all
distances. What changes is which bonds end within the cutoff, and within the last shell of neighbors, whose width is
absolute.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.graph import SHELL_WIDTH, OrbitGraph, orbit_graph
from lodestone.crystals.symmetry import orbits_of

_ROUNDING = 1e-3  # of a mean number of bonds
_SHELL_MARGIN = 0.02  # Å: bonds that are averaged differ by less


def child_graphs(
    parent: Crystal, elements: np.ndarray, scales: np.ndarray, *, cutoff: float, neighbors: int
) -> Iterator[OrbitGraph | None]:
    """The orbit graph of each child, as :func:`lodestone.crystals.graph.orbit_graph` gives it.

    Args:
        parent: The crystal.
        elements: Atomic numbers of the atoms of each child, in the order of the parent's, shape ``(n, atoms)``.
        scales: Lengths of each child over those of the parent, shape ``(n,)``.
        cutoff: Longest bond, Å.
        neighbors: Bonds per atom, more where the last shell needs it.

    Yields:
        ``None`` for a child in which an atom has no neighbor within the cutoff: its graph must be searched for.
    """
    smallest = float(scales.min())  # of this child the last shell reaches furthest among the bonds of the parent
    orbits = orbits_of(parent)
    graph = orbit_graph(parent, cutoff / smallest, neighbors, _SHELL_MARGIN + SHELL_WIDTH / smallest, orbits)
    representative = np.unique(orbits, return_index=True)[1]
    length, furthest = graph.distance.astype(float), _furthest(graph, neighbors)[graph.target]
    scaled = scales[:, None] * length
    kept = (scaled <= cutoff) & (scaled <= scales[:, None] * furthest + SHELL_WIDTH)
    for numbers, distance, mask in zip(elements[:, representative], scaled, kept, strict=True):
        target = graph.target[mask]
        if len(np.unique(target)) < len(graph.atoms):
            yield None
            continue
        yield OrbitGraph(
            numbers.astype(np.int64),
            graph.atoms,
            graph.source[mask],
            target,
            distance[mask].astype(np.float32),
            graph.bonds[mask],
            graph.angles[mask],
        )


def _furthest(graph: OrbitGraph, neighbors: int) -> np.ndarray:
    """Distance within which each orbit has so many neighbors, shape ``(o,)``, Å; infinite where it never has."""
    found = np.full(len(graph.atoms), np.inf)
    for orbit in range(len(found)):
        own = graph.target == orbit
        order = np.argsort(graph.distance[own], kind="stable")
        enough = np.flatnonzero(np.cumsum(graph.bonds[own][order]) >= neighbors - _ROUNDING)
        if len(enough):
            found[orbit] = graph.distance[own][order][enough[0]]
    return found
