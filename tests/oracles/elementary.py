"""Crystals that are written by hand: binaries and their elements, at lattice constants close to those of DFT."""

import numpy as np

from lodestone.crystals.crystal import Crystal

FCC = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
HEXAGONAL = np.array([[1, 0, 0], [-0.5, np.sqrt(3) / 2, 0], [0, 0, 1.624]])


def rock_salt(edge: float, cation: int, anion: int) -> Crystal:
    return Crystal(edge * np.eye(3), [cation] * 4 + [anion] * 4, np.vstack([FCC, FCC + 0.5]))


def molecules(edge: float, number: int, bond: float) -> Crystal:
    """Molecules of two atoms along the diagonal of a cube."""
    half = bond / 2 / np.sqrt(3) / edge
    return Crystal(edge * np.eye(3), [number] * 2, [[0.5 - half] * 3, [0.5 + half] * 3])


SALT, MAGNESIA = rock_salt(5.69, 11, 17), rock_salt(4.25, 12, 8)
ELEMENTS = {
    "Na": Crystal(4.19 * np.eye(3), [11, 11], [[0, 0, 0], [0.5, 0.5, 0.5]]),
    "Mg": Crystal(3.19 * HEXAGONAL, [12, 12], [[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]]),
    "Cl": molecules(5.5, 17, 2.0),
    "O": molecules(5.0, 8, 1.23),
}


def shaken(crystal: Crystal, size: float = 0.01) -> Crystal:
    """The same, a little too large and with its atoms displaced."""
    moved = crystal.frac_coords + np.random.default_rng(0).normal(0, size, crystal.frac_coords.shape)
    return Crystal(1.01 * crystal.lattice, crystal.atomic_numbers, moved)
