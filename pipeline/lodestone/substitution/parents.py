"""The parent from which a substitution generator would have made a crystal, drawn by the generator's own rule."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, permutations, product

import numpy as np
import polars as pl

from lodestone.crystals.symmetry import orbits_by_element
from lodestone.substitution.draw import LEAST_PROBABILITY, MOST_ABOVE_HULL, MOST_REPLACED

_MOST_PARENTS = 16  # examined for each crystal; common prototypes have thousands


@dataclass(frozen=True)
class Family:
    """Crystals of one prototype.

    Attributes:
        rows: Their rows in the table of parents, shape ``(p,)``.
        orbits: Orbits of each element, ascending, so that elements with equal orbits are adjacent.
        elements: Atomic numbers on these orbits, shape ``(p, k)``.
    """

    rows: np.ndarray
    orbits: tuple[str, ...]
    elements: np.ndarray

    @cached_property
    def orders(self) -> np.ndarray:
        """All permutations that swap only elements with equal orbits, shape ``(ways, k)``."""
        groups = [
            [place for place, _ in group] for _, group in groupby(enumerate(self.orbits), key=lambda item: item[1])
        ]
        ways = product(*(permutations(group) for group in groups))
        return np.array([[place for places in way for place in places] for way in ways])

    def probabilities(self, target: np.ndarray, table: np.ndarray, most: int = MOST_REPLACED) -> np.ndarray:
        """Probability of the likeliest substitution that leads from each parent to a crystal.

        Args:
            target: Elements of the crystal, in the order of ``orbits``.
            table: Probability of each replacement by atomic numbers, ``[new, old]``.
            most: Maximum number of elements that a generator replaces.

        Returns:
            Shape ``(p,)``; 0 where more would have to be replaced, or where the parent is the crystal itself.
        """
        new = target[self.orders][:, None, :]
        kept = new == self.elements
        factors = np.where(kept, 1.0, table[new, self.elements])
        likely = np.where((~kept).sum(axis=2) <= most, factors.prod(axis=2), 0.0).max(axis=0)
        return np.where(kept.all(axis=2).any(axis=0), 0.0, likely)


def near_hull(parents: pl.DataFrame, highest: float = MOST_ABOVE_HULL) -> pl.DataFrame:
    """The parents that a generator would use: at most so high above the hull, eV/atom; their rows stay in a column.

    Args:
        parents: Column ``energy_above_hull`` and others.
        highest: eV/atom.
    """
    return parents.with_row_index("row").filter(pl.col("energy_above_hull") <= highest)


def families(parents: pl.DataFrame) -> dict[str, Family]:
    """Parents by prototype.

    Args:
        parents: Columns ``prototype`` and ``decorated_prototype``, and ``row`` where these are a part of another table.
    """
    by_prototype: defaultdict[str, list[tuple[int, tuple[str, ...], list[int]]]] = defaultdict(list)
    numbered = parents if "row" in parents.columns else parents.with_row_index("row")
    for row, prototype, label in numbered.select("row", "prototype", "decorated_prototype").iter_rows():
        by_prototype[prototype].append((row, *sorted_elements(label)))
    return {
        prototype: Family(np.array([row for row, *_ in members]), members[0][1], np.array([z for *_, z in members]))
        for prototype, members in by_prototype.items()
    }


def sorted_elements(label: str) -> tuple[tuple[str, ...], list[int]]:
    """Orbits of a decorated prototype in ascending order, and their elements."""
    pairs = sorted((orbits, z) for z, orbits in orbits_by_element(label).items())
    return tuple(orbits for orbits, _ in pairs), [z for _, z in pairs]


def draw_parent(
    family: Family, label: str, table: np.ndarray, generator: np.random.Generator, least: float = LEAST_PROBABILITY
) -> int | None:
    """Draw a parent with the probability of its substitution as weight, as a generator of candidates does.

    A generator's first way to reach a candidate, among all substitutions that lead to it, has the same distribution.

    Args:
        family: Parents of the prototype.
        label: Decorated prototype of the crystal; no other property is used.
        table: Probability of each replacement by atomic numbers, ``[new, old]``.
        generator: Decides the draw.
        least: Smallest probability that a generator considers.

    Returns:
        Row of the parent, or ``None`` where no generator would propose the crystal.
    """
    chances = family.probabilities(np.array(sorted_elements(label)[1]), table)
    chances = np.where(chances >= least, chances, 0.0)
    if not chances.any():
        return None
    return int(family.rows[generator.choice(len(chances), p=chances / chances.sum())])


def likeliest_parent(family: Family, label: str, table: np.ndarray, generator: np.random.Generator) -> int | None:
    """The parent with the likeliest substitution, of however many elements, among at most 16.

    Args:
        family: As in :func:`draw_parent`, like the next two.
        label: Decorated prototype of the crystal.
        table: Probabilities.
        generator: Draws the parents to examine, where there are more.

    Returns:
        Row of the parent, or ``None`` where there is no other crystal, or none that could be replaced.
    """
    target = np.array(sorted_elements(label)[1])
    others = np.flatnonzero((family.elements != target).any(axis=1))
    if len(others) > _MOST_PARENTS:
        others = generator.permutation(others)[:_MOST_PARENTS]
    if not len(others):
        return None
    examined = Family(family.rows[others], family.orbits, family.elements[others])
    chances = examined.probabilities(target, table, most=len(target))
    return int(examined.rows[chances.argmax()]) if chances.any() else None
