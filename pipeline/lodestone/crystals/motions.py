"""Primitive cells and what their symmetry operations do with the atoms (moyopy)."""

from __future__ import annotations

from typing import Any

import numpy as np

from lodestone.crystals.arithmetic import dot, matmul
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.supercells import Motion
from lodestone.crystals.symmetry import SYMPREC, dataset_of


def primitive_motions(crystal: Crystal, symprec: float = SYMPREC) -> tuple[Crystal, tuple[Motion, ...]]:
    """A primitive cell of a crystal and the operations of its space group, the identity first.

    Args:
        crystal: Any cell; one that is primitive is returned as it is.
        symprec: Tolerance in Å, as for labels. Where no symmetry is found, the cell is taken for primitive, in P1.
    """
    data = dataset_of(crystal, symprec)
    if data is None:
        return crystal, (_identity(crystal),)
    if len(data.prim_std_cell.numbers) < len(crystal):
        cell = data.prim_std_cell
        return primitive_motions(Crystal(cell.basis, cell.numbers, cell.positions), symprec)
    motions = [_motion(crystal, *pair) for pair in _operations(data)]
    known = [motion for motion in motions if motion is not None]
    return crystal, tuple(known) if len(known) == len(motions) else (_identity(crystal),)


def _operations(data: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rotations and translations, the identity first, the others in an order of their own."""
    pairs = zip(data.operations.rotations, data.operations.translations, strict=True)
    found = [(np.rint(rotation).astype(int), np.asarray(translation)) for rotation, translation in pairs]
    return sorted(found, key=lambda pair: (not (pair[0] == np.eye(3)).all(), pair[0].ravel().tolist()))


def _motion(crystal: Crystal, rotation: np.ndarray, translation: np.ndarray) -> Motion | None:
    """Where the atoms go; ``None`` if two of them would share a place, which happens at the limits of tolerance."""
    frac, numbers = crystal.frac_coords, crystal.atomic_numbers
    away = (matmul(frac, rotation.T.astype(float)) + translation)[:, None, :] - frac
    short = matmul(away - np.rint(away), crystal.lattice)
    distance = np.where(numbers[:, None] == numbers, dot(short, short), np.inf)
    image = distance.argmin(axis=1)
    if len(np.unique(image)) < len(image):
        return None
    return Motion(rotation, image, np.rint(away[np.arange(len(image)), image]).astype(int))


def _identity(crystal: Crystal) -> Motion:
    return Motion(np.eye(3, dtype=int), np.arange(len(crystal)), np.zeros((len(crystal), 3), dtype=int))
