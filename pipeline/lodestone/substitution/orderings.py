"""Which atoms of an element can be replaced along symmetry, so that its others stay.

Of all ways to choose some atoms of an element in a cell or a supercell, those are kept where the chosen atoms, or those
that stay, are one orbit of a subgroup of the space group; of those that the space group maps onto each other, one.
Known as symmetry-aware partial substitution from Merchant et al., Nature 624, 80 (2023), who took subsets of Wyckoff
positions; the enumeration is that of Hart and Forcade, Phys. Rev. B 77, 224115 (2008).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.supercells import Form, Motion, distinct_forms, permutations

MOST_SUBSETS = 4096  # of the atoms of one element in one cell; where there are more, only the smaller ones are tried
_MOST_ATOMS = 52  # a set of atoms is the sum of powers of two, which has to be exact


@dataclass(frozen=True)
class Ordering:
    """Some atoms of an element, along symmetry.

    Attributes:
        form: Supercell in which they are periodic, and in no smaller one.
        chosen: Places of the atoms in the supercell.
        staying: How many atoms of the element are not chosen.
        index: Of the subgroup that keeps them in the space group; 1 keeps all symmetry.
    """

    form: Form
    chosen: tuple[int, ...]
    staying: int
    index: int


def orderings(
    crystal: Crystal, motions: Sequence[Motion], *, max_sites: int, max_cells: int
) -> dict[int, list[Ordering]]:
    """All orderings of the atoms of each element that differ by symmetry.

    Args:
        crystal: A primitive cell.
        motions: Its symmetry operations, the identity first.
        max_sites: Largest number of atoms in the supercell.
        max_cells: Largest number of primitive cells in it.

    Returns:
        By atomic number.
    """
    sizes = range(1, min(max_cells, max_sites // len(crystal)) + 1)
    found: dict[int, list[Ordering]] = {int(z): [] for z in np.unique(crystal.atomic_numbers)}
    for form in (form for size in sizes for form in distinct_forms(size, motions)):
        images = permutations(motions, form)
        numbers = np.repeat(crystal.atomic_numbers, images.shape[1])
        for element, known in found.items():
            places = np.flatnonzero(numbers == element)
            if 1 < len(places) <= _MOST_ATOMS:
                group = np.searchsorted(places, images[:, :, places])
                known.extend(_within(group, places, form, len(motions) * images.shape[1]))
    return found


def _within(group: np.ndarray, places: np.ndarray, form: Form, order: int) -> Iterator[Ordering]:
    """The orderings of one supercell; ``order`` is that of the space group modulo translations of the supercell."""
    subsets, images = _subsets(len(places)), group.reshape(-1, len(places))
    own = _masks(subsets, np.arange(len(places))[None, :])
    subsets, own = (some[~(_masks(subsets, group[0, 1:]) == own).any(axis=1)] for some in (subsets, own))
    masks = _masks(subsets, images)
    for row in np.flatnonzero((masks >= own).all(axis=1)):
        stabilizer = images[masks[row] == own[row]]
        if _is_one_orbit(subsets[row], stabilizer) or _is_one_orbit(~subsets[row], stabilizer):
            chosen = places[subsets[row]].tolist()
            yield Ordering(form, tuple(chosen), len(places) - len(chosen), order // len(stabilizer))


@lru_cache(maxsize=64)
def _subsets(atoms: int) -> np.ndarray:
    """Proper subsets and their complements, the small ones first, shape ``(s, atoms)``."""
    largest, total = 1, 2 * atoms
    while largest < atoms // 2 and total + 2 * comb(atoms, largest + 1) <= MOST_SUBSETS:
        largest += 1
        total += 2 * comb(atoms, largest)
    few = [pick for size in range(1, largest + 1) for pick in combinations(range(atoms), size)]
    rows = np.zeros((len(few), atoms), dtype=bool)
    for row, pick in zip(rows, few, strict=True):
        row[list(pick)] = True
    return np.unique(np.concatenate([rows, ~rows]), axis=0)


def _masks(subsets: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Image of each subset under each permutation as a sum of powers of two, exact, shape ``(s, g)``."""
    return subsets.astype(float) @ np.exp2(images).T


def _is_one_orbit(subset: np.ndarray, group: np.ndarray) -> bool:
    return len(set(group[:, subset.argmax()].tolist())) == np.count_nonzero(subset)
