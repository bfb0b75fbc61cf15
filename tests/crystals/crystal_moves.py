"""Hand-made crystals, and moves that leave a crystal what it is."""

import numpy as np

from lodestone.crystals.crystal import Crystal

FCC = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
_ANGLES = (0.3, 1.1, -0.7)


def rocksalt(cation: int = 11, anion: int = 17, edge: float = 5.69) -> Crystal:
    return Crystal(np.eye(3) * edge, [cation] * 4 + [anion] * 4, np.vstack([FCC, FCC + 0.5]))


def zincblende(edge: float = 5.41) -> Crystal:
    return Crystal(np.eye(3) * edge, [30] * 4 + [16] * 4, np.vstack([FCC, FCC + 0.25]))


def caesium_chloride() -> Crystal:
    return Crystal(np.eye(3) * 4.12, [55, 17], [[0, 0, 0], [0.5, 0.5, 0.5]])


def perovskite(a: int = 38, b: int = 22, x: int = 8) -> Crystal:
    coords = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return Crystal(np.eye(3) * 3.9, [a, b, x, x, x], coords)


def hexagonal_metal(a: float = 3.2) -> Crystal:
    lattice = a * np.array([[1, 0, 0], [-0.5, np.sqrt(3) / 2, 0], [0, 0, np.sqrt(8 / 3)]])
    return Crystal(lattice, [12, 12], [[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]])


def fluorite(cation: int = 20, anion: int = 9) -> Crystal:
    return Crystal(np.eye(3) * 5.46, [cation] * 4 + [anion] * 8, np.vstack([FCC, FCC + 0.25, FCC + 0.75]))


def triclinic(seed: int, sites: int = 5) -> Crystal:
    """Atoms anywhere in a skewed cell; some coordinates lie outside of it."""
    draw = np.random.default_rng(seed)
    lattice = np.diag(draw.uniform(3, 6, 3)) + draw.uniform(-1.5, 1.5, (3, 3))
    return Crystal(lattice, draw.integers(1, 90, sites), draw.uniform(-1, 2, (sites, 3)))


def rotated(crystal: Crystal) -> Crystal:
    turn = np.eye(3)
    for axis, angle in enumerate(_ANGLES):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[[i, i, j, j], [i, j, i, j]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
        turn = turn @ step
    return Crystal(crystal.lattice @ turn, crystal.atomic_numbers, crystal.frac_coords)


def translated(crystal: Crystal) -> Crystal:
    return Crystal(crystal.lattice, crystal.atomic_numbers, crystal.frac_coords + np.array([0.137, -1.21, 0.459]))


def permuted(crystal: Crystal) -> Crystal:
    order = np.random.default_rng(3).permutation(len(crystal))
    return Crystal(crystal.lattice, crystal.atomic_numbers[order], crystal.frac_coords[order])


def rewrapped(crystal: Crystal) -> Crystal:
    """Each atom replaced by one of its periodic images."""
    images = np.random.default_rng(4).integers(-2, 3, crystal.frac_coords.shape)
    return Crystal(crystal.lattice, crystal.atomic_numbers, crystal.frac_coords + images)


def skewed(crystal: Crystal) -> Crystal:
    """The same lattice by other vectors."""
    return _in_cell(crystal, [[1, 1, 0], [0, 1, 0], [0, -2, 1]])


def doubled(crystal: Crystal) -> Crystal:
    return _in_cell(crystal, [[2, 0, 0], [0, 1, 0], [0, 0, 1]])


def supercell(crystal: Crystal) -> Crystal:
    """Four cells, turned against the original axes."""
    return _in_cell(crystal, [[1, 1, 0], [-1, 1, 0], [0, 0, 2]])


def _in_cell(crystal: Crystal, vectors: list[list[int]]) -> Crystal:
    matrix = np.array(vectors)
    inverse = np.linalg.inv(matrix)
    grid = np.array(np.meshgrid(*[np.arange(-4, 5)] * 3)).reshape(3, -1).T
    shifts = np.unique(np.round(grid @ inverse % 1, 6) % 1, axis=0)
    assert len(shifts) == round(abs(np.linalg.det(matrix)))
    coords = np.concatenate([crystal.frac_coords @ inverse + shift for shift in shifts])
    return Crystal(matrix @ crystal.lattice, np.tile(crystal.atomic_numbers, len(shifts)), coords)


MOVES = (rotated, translated, permuted, rewrapped, skewed, doubled, supercell)
