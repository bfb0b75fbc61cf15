"""Angles between the bonds of an atom: what lengths do not tell, such as a tetrahedron from a square.

Of each bond, Legendre polynomials of the cosines of its angles with the other bonds near its atom, averaged over these;
after the angular functions of Behler & Parrinello, PRL 98, 146401 (2007), with the Legendre polynomials of Bartók et
al., PRB 87, 184115 (2013). Distances count in units of the shortest at the atom, so that they are the same for a scaled
crystal, and elements do not count at all, so that they are the same for all crystals of one geometry.
"""

from __future__ import annotations

import numpy as np

_DEGREES = 6
_REACHES = (1.4, 2.0)  # shortest distances of the atom: the first shell, and the next
N_ANGULAR = _DEGREES * len(_REACHES)


def angles_of_bonds(target: np.ndarray, distance: np.ndarray, vectors: np.ndarray, bonds: np.ndarray) -> np.ndarray:
    """Angular features of some bonds.

    Args:
        target: Atom that each bond ends at, shape ``(e,)``, ascending; all atoms have bonds, each its nearest first.
        distance: Lengths, shape ``(e,)``, Å.
        vectors: From one end to the other, shape ``(e, 3)``, Å.
        bonds: Rows of the bonds to describe, shape ``(b,)``.

    Returns:
        Shape ``(b, N_ANGULAR)``, float32.
    """
    first = np.searchsorted(target, np.arange(target[-1] + 1))
    relative = distance / distance[first][target]
    near = np.flatnonzero(relative < max(_REACHES))
    count = np.bincount(target[near])
    size = count[target[bonds]]
    starts = np.cumsum(size) - size
    place = np.repeat((np.cumsum(count) - count)[target[bonds]] - starts, size) + np.arange(size.sum())
    one, other = np.repeat(bonds, size), near[place]
    products = (vectors[one] * vectors[other]).sum(axis=1)
    cosines = np.clip(products / (distance[one] * distance[other]), -1, 1)
    polynomials = np.polynomial.legendre.legvander(cosines, _DEGREES)  # of degree 0, too: the sum of weights
    weights = (_taper(relative[near], reach)[place] * (one != other) for reach in _REACHES)
    sums = [np.add.reduceat(polynomials * weight[:, None], starts, axis=0) for weight in weights]
    return np.concatenate([total[:, 1:] / (1 + total[:, :1]) for total in sums], axis=1).astype(np.float32)


def _taper(relative: np.ndarray, reach: float) -> np.ndarray:
    """From 1 for the nearest neighbor to 0 at the reach, without a kink at either."""
    return np.cos(0.5 * np.pi * np.minimum((relative - 1) / (reach - 1), 1)) ** 2
