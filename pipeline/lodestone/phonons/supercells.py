"""Which supercell holds the force constants: small, as symmetric as the crystal, with images far apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import product
from math import lcm

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.supercells import Form, Motion, hermite_forms

_REACH = 1.5  # times the smallest length: images further apart make no supercell better
_LARGEST = 48  # denominators of a wave vector
_SAME = 1e-6


def smallest_supercell(
    crystal: Crystal, motions: Sequence[Motion], *, min_length: float, max_atoms: int
) -> Form | None:
    """The smallest supercell that all operations of the crystal keep, with images of an atom far enough apart.

    One whose every vector is twice a lattice vector is preferred: it holds the corners, edges and faces of the
    Brillouin zone, where crystals usually distort. Of equal sizes, the one with its images furthest apart.

    Args:
        crystal: A primitive cell.
        motions: Operations of its space group.
        min_length: Smallest distance of two images, Å.
        max_atoms: Atoms of the largest supercell.

    Returns:
        The supercell; ``None`` if none is small enough.
    """
    vectors = _lattice_vectors(crystal.lattice, _REACH * min_length)
    lengths = np.linalg.norm(vectors @ crystal.lattice, axis=1)
    rotations = np.unique([motion.rotation.T for motion in motions], axis=0)
    for factor in (2, 1):
        for size in range(1, max_atoms // (factor**3 * len(crystal)) + 1):
            forms = [_times(form, factor) for form in hermite_forms(size) if _is_kept(form, rotations)]
            apart = [(min(lengths[_inside(vectors, form)], default=_REACH * min_length), form) for form in forms]
            good = [pair for pair in apart if pair[0] >= min_length - _SAME]
            if good:
                return max(good)[1]
    return None


def image_distance(crystal: Crystal, form: Form) -> float:
    """Smallest distance of two images of an atom in a supercell, Å."""
    lattice = np.array(form) @ crystal.lattice
    reach = float(min(np.linalg.norm(lattice, axis=1)))
    return float(min(np.linalg.norm(_lattice_vectors(lattice, reach + _SAME) @ lattice, axis=1)))


def cell_of_wave(q: Iterable[float]) -> Form:
    """The smallest supercell in which a wave of this wave vector repeats.

    Args:
        q: In units of the reciprocal vectors of the primitive cell; fractions with small denominators.
    """
    exact = [Fraction(value).limit_denominator(_LARGEST) for value in q]
    wave = np.array([float(value) for value in exact])
    forms = hermite_forms(lcm(*(value.denominator for value in exact)))
    return next(form for form in forms if _is_whole(np.array(form) @ wave).all())


def _lattice_vectors(lattice: np.ndarray, reach: float) -> np.ndarray:
    """All lattice vectors but zero up to a length, in units of the lattice, shape ``(n, 3)``."""
    highest = np.floor(reach * np.linalg.norm(np.linalg.inv(lattice), axis=0) + _SAME).astype(int)
    every = np.array(list(product(*(range(-n, n + 1) for n in highest))))
    lengths = np.linalg.norm(every @ lattice, axis=1)
    return every[(lengths > _SAME) & (lengths <= reach)]


def _is_kept(form: Form, rotations: np.ndarray) -> bool:
    return bool(_is_whole(np.array(form) @ rotations @ np.linalg.inv(form)).all())


def _inside(vectors: np.ndarray, form: Form) -> np.ndarray:
    """Which vectors are some of the supercell's own."""
    return np.asarray(_is_whole(vectors @ np.linalg.inv(form)).all(axis=1))


def _is_whole(values: np.ndarray) -> np.ndarray:
    return np.abs(values - np.rint(values)) < _SAME


def _times(form: Form, factor: int) -> Form:
    a, b, c = (tuple(factor * value for value in row) for row in form)
    return a, b, c  # type: ignore[return-value]  # three numbers each
