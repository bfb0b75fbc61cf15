"""Periodic neighbour graphs (vesin)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.crystals.crystal import Crystal
from pipeline.errors import LodestoneError

# A shell of neighbours ends at a gap; equal distances differ by rounding only, so any width well above that keeps the
# graph the same in every supercell.
_SHELL_WIDTH = 0.1
_LARGEST_CUTOFF = 30.0


@dataclass(frozen=True)
class Graph:
    """Directed edges of a periodic crystal.

    Attributes:
        source: Atom each edge comes from, shape ``(e,)``.
        target: Atom each edge ends at, shape ``(e,)``, ascending.
        distance: Length of each edge, shape ``(e,)``, Å.
    """

    source: np.ndarray
    target: np.ndarray
    distance: np.ndarray


def neighbour_graph(crystal: Crystal, cutoff: float, neighbours: int) -> Graph:
    """Join each atom to its nearest neighbours, the last shell kept whole.

    Counting neighbours alone would cut through shells of equal distance, and the choice would depend on the cell.

    Args:
        crystal: Any cell.
        cutoff: Longest edge, Å; widened for crystals in which an atom has no neighbour so near.
        neighbours: Edges per atom, more where the last shell needs it, fewer where the cutoff ends first.

    Raises:
        LodestoneError: If an atom has no neighbour within 30 Å.
    """
    import vesin

    target, source, distance = vesin.NeighborList(cutoff=cutoff, full_list=True).compute(
        crystal.cart_coords, crystal.lattice, periodic=True, quantities="ijd"
    )
    counts = np.bincount(target, minlength=len(crystal))
    if counts.min() == 0:
        if cutoff >= _LARGEST_CUTOFF:
            raise LodestoneError(
                f"an atom of {''.join(crystal.species)[:40]} has no neighbour within {cutoff:.0f} Å",
                "the cell is unphysically large: tighten validate.volume_per_atom",
            )
        return neighbour_graph(crystal, 1.5 * cutoff, neighbours)
    order = np.lexsort((source, distance, target))
    target, source, distance = target[order], source[order], distance[order]
    starts = np.cumsum(counts) - counts
    furthest = distance[starts + np.minimum(neighbours, counts) - 1]
    kept = distance <= furthest[target] + _SHELL_WIDTH
    return Graph(source[kept].astype(np.int64), target[kept].astype(np.int64), distance[kept].astype(np.float32))
