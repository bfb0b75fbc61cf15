"""Small crystals of well-known structure types, ordered and not, written from their ideal sites."""

from __future__ import annotations

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS

FACES = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
FCC = 0.5 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])


def made(lattice, sites: dict[str, list]) -> Crystal:
    """A crystal of elements and their fractional coordinates."""
    numbers = [ATOMIC_NUMBERS[symbol] for symbol, places in sites.items() for _ in places]
    return Crystal(
        np.asarray(lattice, dtype=float), np.array(numbers), np.concatenate([*map(np.array, sites.values())])
    )


def relaxed(crystal: Crystal, seed: int = 0, most: float = 0.04) -> Crystal:
    """As a relaxation leaves it: each atom up to some Å along each axis from where it was, the cell 1 % longer."""
    shifts = np.random.default_rng(seed).uniform(-most, most, (len(crystal), 3))
    lattice = crystal.lattice * np.array([1.0, 1.0, 1.01])
    return Crystal(lattice, crystal.atomic_numbers, crystal.frac_coords + shifts @ np.linalg.inv(crystal.lattice))


def rock_salt(cation: str, anion: str, length: float) -> Crystal:
    return made(FCC * length, {cation: [[0, 0, 0]], anion: [[0.5, 0.5, 0.5]]})


def ordered_rock_salt(corner: str, face: str, anion: str, length: float) -> Crystal:
    """One cation on the corners of a cube, the other on its faces, as in Mg3NiO4."""
    return made(np.eye(3) * length, {corner: FACES[:1], face: FACES[1:], anion: FACES + 0.5})


def layered_rock_salt(one: str, other: str, anion: str, length: float, z: float = 0.25) -> Crystal:
    """Layers of two cations in turn along [111], as in LiCoO2; R-3m."""
    a, c = length / np.sqrt(2), 2 * length * np.sqrt(3)
    lattice = [[a / 2, a / (2 * np.sqrt(3)), c / 3], [-a / 2, a / (2 * np.sqrt(3)), c / 3], [0, -a / np.sqrt(3), c / 3]]
    return made(lattice, {one: [[0, 0, 0]], other: [[0.5, 0.5, 0.5]], anion: [[z, z, z], [-z, -z, -z]]})


def perovskite(a: str, b: str, x: str, length: float) -> Crystal:
    return made(np.eye(3) * length, {a: [[0.5, 0.5, 0.5]], b: [[0, 0, 0]], x: [[0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]]})


def double_perovskite(a: str, one: str, other: str, x: str, length: float, at: float = 0.25) -> Crystal:
    """Elpasolite: two cations take turns on the octahedra, as in Ba2ZrSnO6; Fm-3m."""
    octahedron = np.vstack([at * np.eye(3), -at * np.eye(3)]) @ np.linalg.inv(FCC)
    quarters = [[0.25, 0.25, 0.25], [0.75, 0.75, 0.75]]
    return made(FCC * length, {a: quarters, one: [[0, 0, 0]], other: [[0.5, 0.5, 0.5]], x: octahedron})


def spinel(
    tetrahedral: str, octahedral: tuple[str, str, str, str], x: str, length: float, u: float = 0.2625
) -> Crystal:
    """Two formulas in the primitive cell; the four octahedral sites may have different elements."""
    signs = [(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]
    shift = u - 0.125
    tetrahedra = [[0.125] * 3, [0.875] * 3]
    anions = [
        np.array(t) + s * shift * np.array(sign) for t, s in zip(tetrahedra, (1, -1), strict=True) for sign in signs
    ]
    places = {octahedron: [] for octahedron in octahedral}
    for octahedron, site in zip(octahedral, FACES / 2 + 0.5, strict=True):
        places[octahedron].append(site @ np.linalg.inv(FCC))
    cubic = {tetrahedral: np.array(tetrahedra), x: np.array(anions)}
    return made(FCC * length, {name: at @ np.linalg.inv(FCC) for name, at in cubic.items()} | places)


def murdochite(half: str, other_half: str, center: str, length: float, x: float = 0.235) -> Crystal:
    """Mg6MnO8, rock salt with an eighth of the cations missing; its six divalent sites hold two elements."""
    into = np.linalg.inv(FCC)
    sites = 0.25 * np.array([(0, 1, 1), (1, 0, 1), (1, 1, 0)]) @ into
    others = 0.25 * np.array([(0, 1, -1), (1, 0, -1), (1, -1, 0)]) @ into
    oxygens = np.vstack([[[0.25] * 3, [0.75] * 3], x * np.eye(3) @ into, -x * np.eye(3) @ into])
    return made(FCC * length, {half: sites, other_half: others, center: [[0, 0, 0]], "O": oxygens})


def ilmenite(one: str, other: str, center: str, oxygen: str = "O") -> Crystal:
    """Two elements in turn on the divalent sites of ilmenite, as in MgTi2NiO6; the parent is R-3."""
    a, c = 5.055, 13.9
    z, x, y, w = 0.356, 0.316, 0.021, 0.246
    metals = [(0, 0, z), (0, 0, -z)], [(0, 0, 0.5 - z + 0.0025), (0, 0, z - 0.5 - 0.0025)]
    oxygens = [(s * p[0], s * p[1], s * w) for s in (1, -1) for p in ((x, y), (-y, x - y), (y - x, -x))]
    lattice = np.array([[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, c]])
    primitive = np.array([[2, 1, 1], [-1, 1, 1], [-1, -2, 1]]) / 3 @ lattice
    into = lattice @ np.linalg.inv(primitive)
    (first, second), titanium = metals
    return made(
        primitive,
        {one: [np.array(first) @ into], other: [np.array(second) @ into], center: np.array(titanium) @ into,
         oxygen: np.array(oxygens) @ into},
    )  # fmt: skip


def l1_0(one: str, other: str, length: float) -> Crystal:
    """Two metals in layers on the sites of a face-centered cube, as in CuAu."""
    return made(np.eye(3) * length, {one: FACES[[0, 3]], other: FACES[[1, 2]]})
