"""Numbers that equal crystals share, to tell most different ones apart without comparing them atom by atom.

Average minimum distances (Widdowson et al., MATCH Commun. Math. Comput. Chem. 87, 529 (2022)): how far the nearest
neighbor is, the second, and so on, on average over the atoms. They do not depend on the cell, and change little when
atoms move a little, unlike symmetry.
"""

from __future__ import annotations

from math import cbrt

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.pairs import pairs_within

NEIGHBORS = 12
# All 275 pairs of crystals of the Materials Project that `StructureMatcher` held for equal in a test (237 strained and
# shaken, 38 entries of one formula) differ by less than this; of 462 unequal entries of one formula, 41 % by more.
TOLERANCE = 0.2


def fingerprint(crystal: Crystal, neighbors: int = NEIGHBORS) -> np.ndarray:
    """Mean distance to the first, second, ... neighbor, in units of the cube root of the volume per atom.

    Args:
        crystal: Any cell.
        neighbors: How many.

    Returns:
        Shape ``(elements, neighbors)``, averages over the atoms of each element, in the order of atomic numbers.
    """
    unit = cbrt(crystal.volume / len(crystal))
    distances = _nearest(crystal, 1.8 * unit, neighbors) / unit
    kinds = crystal.atomic_numbers
    return np.array([distances[kinds == kind].mean(axis=0) for kind in np.unique(kinds)])


def are_near(one: np.ndarray, others: np.ndarray, tolerance: float = TOLERANCE) -> np.ndarray:
    """Whether a crystal may be equal to others of its composition.

    Args:
        one: Its fingerprint, shape ``(e, k)``.
        others: Theirs, shape ``(m, e, k)``.
        tolerance: Largest difference of mean distances, in their unit.

    Returns:
        Shape ``(m,)``, boolean.
    """
    return np.asarray(np.abs(others - one).max(axis=(1, 2)) <= tolerance)


def _nearest(crystal: Crystal, cutoff: float, neighbors: int) -> np.ndarray:
    """Distances of each atom to its nearest neighbors, ascending, shape ``(n, neighbors)``, Å."""
    atom, distance = pairs_within(crystal, cutoff, "id")
    counts = np.bincount(atom, minlength=len(crystal))
    if counts.min() < neighbors:
        return _nearest(crystal, 1.3 * cutoff, neighbors)
    ascending = distance[np.lexsort((distance, atom))]
    starts = np.cumsum(counts) - counts
    return ascending[starts[:, None] + np.arange(neighbors)]
