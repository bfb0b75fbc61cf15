"""Supercells as lattices of integers, and the permutations of their atoms under a space group.

A supercell is a Hermite normal form, whose rows are its vectors in those of the primitive cell (Hart and Forcade, Phys.
Rev. B 77, 224115 (2008)). Images of atoms are found in integers, so no distances are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lodestone.crystals.arithmetic import inverse, matmul
from lodestone.crystals.crystal import Crystal

Form = tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]


@dataclass(frozen=True)
class Motion:
    """What a symmetry operation does with the atoms of a primitive cell: ``x`` goes to ``rotation @ x + translation``.

    Attributes:
        rotation: Shape ``(3, 3)``, integers, in the basis of the cell.
        image: Atom that each atom is mapped onto, shape ``(n,)``.
        shift: Lattice vector by which the mapped atom is away from that atom in the cell, shape ``(n, 3)``, integers.
    """

    rotation: np.ndarray
    image: np.ndarray
    shift: np.ndarray


def hermite_forms(size: int) -> Iterator[Form]:
    """All supercells of so many primitive cells, each lattice once."""
    for a in _divisors(size):
        for d in _divisors(size // a):
            f = size // (a * d)
            yield from (((a, b, c), (0, d, e), (0, 0, f)) for b in range(d) for c in range(f) for e in range(f))


def distinct_forms(size: int, motions: Sequence[Motion]) -> tuple[Form, ...]:
    """The supercells of so many primitive cells that no rotation maps onto each other."""
    return _distinct_forms(size, tuple(sorted({tuple(motion.rotation.ravel().tolist()) for motion in motions})))


@lru_cache(maxsize=1_000)
def _distinct_forms(size: int, rotations: tuple[tuple[int, ...], ...]) -> tuple[Form, ...]:
    transposed = np.swapaxes(np.reshape(rotations, (-1, 3, 3)), 1, 2)
    distinct: list[Form] = []
    for form in hermite_forms(size):
        rotated = np.array(form) @ transposed
        if not any((_remainder(rotated, other) == 0).all(axis=(1, 2)).any() for other in distinct):
            distinct.append(form)
    return tuple(distinct)


def supercell(crystal: Crystal, form: Form) -> Crystal:
    """The crystal in a larger cell: copies of the first atom come first, in the order of :func:`permutations`."""
    shifts, matrix = _shifts(form), np.array(form, dtype=float)
    frac = (crystal.frac_coords[:, None, :] + shifts).reshape(-1, 3)
    inside = matmul(frac, inverse(matrix[None])[0]) % 1.0
    return Crystal(matmul(matrix, crystal.lattice), np.repeat(crystal.atomic_numbers, len(shifts)), inside)


def permutations(motions: Sequence[Motion], form: Form) -> np.ndarray:
    """How the atoms of a supercell change places under the operations that keep its lattice.

    Args:
        motions: Operations of the space group of the primitive cell, modulo its translations; the identity comes first.
        form: The supercell.

    Returns:
        Shape ``(operations, cells, atoms)``: each operation is followed by each translation modulo the supercell, the
        first of them being none. Entry: the place of the image.
    """
    shifts, rotations = _shifts(form), np.array([motion.rotation.T for motion in motions])
    kept = ~_remainder(np.array(form) @ rotations, form).any(axis=(1, 2))
    image, shift = (np.array([getattr(one, name) for one in motions])[kept] for name in ("image", "shift"))
    moved = (shifts @ rotations[kept])[:, None, None, :, :] + shift[:, None, :, None, :] + shifts[:, None, None, :]
    places = image[:, None, :, None] * len(shifts) + _number(moved, form)
    return places.reshape(len(image), len(shifts), -1)


def _divisors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]


def _shifts(form: Form) -> np.ndarray:
    """One lattice vector of the primitive cell for each of its copies in the supercell, shape ``(cells, 3)``."""
    (a, _, _), (_, d, _), (_, _, f) = form
    return np.stack(np.unravel_index(np.arange(a * d * f), (a, d, f)), axis=1)


def _remainder(vectors: np.ndarray, form: Form) -> np.ndarray:
    """Vectors modulo the lattice of a supercell, shape ``(..., 3)``; those of :func:`_shifts` represent all."""
    rest = vectors.copy()
    for axis, row in enumerate(np.array(form)):
        rest -= (rest[..., axis] // row[axis])[..., None] * row
    return rest


def _number(vectors: np.ndarray, form: Form) -> np.ndarray:
    """Which copy of the primitive cell vectors lead to, in the order of :func:`_shifts`."""
    (_, _, _), (_, d, _), (_, _, f) = form
    rest = _remainder(vectors, form)
    return (rest[..., 0] * d + rest[..., 1]) * f + rest[..., 2]
