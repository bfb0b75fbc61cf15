"""Other descriptions of one and the same crystal; supercells and new lattice vectors by pymatgen, not by our code."""

import numpy as np
from scipy.spatial.transform import Rotation

from lodestone.crystals.crystal import Crystal


def permuted(crystal: Crystal) -> Crystal:
    order = np.random.default_rng(0).permutation(len(crystal))
    return Crystal(crystal.lattice, crystal.atomic_numbers[order], crystal.frac_coords[order])


def reversed_order(crystal: Crystal) -> Crystal:
    return Crystal(crystal.lattice, crystal.atomic_numbers[::-1], crystal.frac_coords[::-1])


def translated(crystal: Crystal) -> Crystal:
    return Crystal(crystal.lattice, crystal.atomic_numbers, crystal.frac_coords + np.array([0.237, -1.41, 0.73]))


def wrapped(crystal: Crystal) -> Crystal:
    return Crystal(crystal.lattice, crystal.atomic_numbers, (crystal.frac_coords + 0.37) % 1.0)


def rotated(crystal: Crystal) -> Crystal:
    turn = Rotation.from_euler("xyz", [0.3, 1.1, -2.0]).as_matrix()
    return Crystal(crystal.lattice @ turn, crystal.atomic_numbers, crystal.frac_coords)


def mirrored(crystal: Crystal) -> Crystal:
    return Crystal(crystal.lattice * [1, 1, -1], crystal.atomic_numbers, crystal.frac_coords)


def doubled(crystal: Crystal) -> Crystal:
    return supercell(crystal, [2, 1, 1])


def eightfold(crystal: Crystal) -> Crystal:
    return supercell(crystal, [2, 2, 2])


def sheared(crystal: Crystal) -> Crystal:
    """Other lattice vectors of the same lattice."""
    return supercell(crystal, [[1, 1, 0], [0, 1, 0], [1, 0, 1]])


def supercell(crystal: Crystal, matrix) -> Crystal:
    return Crystal.from_pymatgen(crystal.to_pymatgen().make_supercell(matrix, in_place=False))


ALL = (permuted, reversed_order, translated, wrapped, rotated, mirrored, doubled, eightfold, sheared)
