"""Families of crystals of one prototype, whose children are found and told apart by arrays of elements.

A decorated label names each element with its orbits. Sorted by these, the elements of all crystals of a prototype stand
in one order, so that a child is a row of atomic numbers, and equal children of different parents are equal rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lodestone.crystals.symmetry import orbits_by_element
from lodestone.substitution.draw import ideas_of

_COLUMNS = ("elements", "parent", "probability")
_AT_ONCE = 1 << 18  # ideas of several parents, before those that lead to one child are made one
Places = tuple[str, ...]  # share of the formula and orbits of each element, sorted


@dataclass(frozen=True)
class Family:
    """Crystals of one prototype.

    Attributes:
        places: What the elements of each row stand on, in the order of the columns.
        known: Atomic numbers of the crystals that are known or were tried, shape ``(n, k)``.
        parents: Rows of the table of crystals that have children, shape ``(p,)``.
        elements: Their atomic numbers, shape ``(p, k)``.
    """

    places: Places
    known: np.ndarray
    parents: np.ndarray
    elements: np.ndarray

    @property
    def amounts(self) -> np.ndarray:
        """Atoms of each element in the reduced formula, shape ``(k,)``."""
        return np.array([int(place.split("=", 1)[0] or 1) for place in self.places])


@dataclass(frozen=True)
class Children:
    """Distinct children of a family.

    Attributes:
        elements: Atomic numbers in the order of the family's columns, shape ``(n, k)``.
        parent: Index among the family's parents, shape ``(n,)``.
        probability: Of the likeliest substitution that leads to the child, shape ``(n,)``.
    """

    elements: np.ndarray
    parent: np.ndarray
    probability: np.ndarray

    def __len__(self) -> int:
        return len(self.parent)

    def subset(self, rows: np.ndarray) -> Children:
        """Some of them, by rows or by a mask."""
        return Children(self.elements[rows], self.parent[rows], self.probability[rows])


def families(labels: Sequence[str], parents: Iterable[int], tried: Iterable[str] = ()) -> list[Family]:
    """Sort crystals into families; those without parents are left out.

    Args:
        labels: Decorated prototypes of the known crystals.
        parents: Rows of those that have children.
        tried: Decorated prototypes of candidates that were tried before.
    """
    members: dict[tuple[str, Places], list[tuple[int, tuple[int, ...]]]] = defaultdict(list)
    for row, label in enumerate([*labels, *tried]):
        head = "_".join(label.split("_", 2)[:2])
        placed = sorted((place, z) for z, place in orbits_by_element(label).items())
        members[head, tuple(place for place, _ in placed)].append((row, tuple(z for _, z in placed)))
    chosen, found = set(parents), []
    for (_, places), rows in sorted(members.items()):
        known = np.array([z for _, z in rows], dtype=np.uint8)
        mask = np.array([row in chosen for row, _ in rows])
        if mask.any():
            numbers = np.array([row for row, _ in rows])
            found.append(Family(places, known, numbers[mask], known[mask]))
    return found


def children_of(family: Family, allowed: np.ndarray, table: np.ndarray, least: float) -> Children:
    """All children of a family that are not known, each once.

    Args:
        family: Its parents have the children.
        allowed: Atomic numbers that may replace others, ascending.
        table: Probability of each replacement by atomic numbers, ``[new, old]``.
        least: Smallest probability of a substitution.
    """
    found = Children(np.empty((0, len(family.places)), np.uint8), np.empty(0, np.int64), np.empty(0))
    waiting, n_waiting = [found], 0
    for index, row in enumerate(family.elements):
        waiting.append(_of_parent(index, row, allowed, table, least))
        n_waiting += len(waiting[-1])
        if n_waiting > max(_AT_ONCE, len(found)) or index == len(family.elements) - 1:
            found = _distinct(waiting, family.places)  # many parents have the same children
            waiting, n_waiting = [found], 0
    return found.subset(~np.isin(_keys(found.elements, family.places), _keys(family.known, family.places)))


def _distinct(parts: Sequence[Children], places: Places) -> Children:
    """Children of several parts, each once, by the likeliest substitution; in the order in which these stand."""
    together = Children(*(np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS))
    keys = _keys(together.elements, places)
    order = np.lexsort((together.parent, -together.probability, keys))
    first = np.ones(len(order), dtype=bool)
    first[1:] = np.diff(keys[order]) != 0
    return together.subset(np.sort(order[first]))


def _of_parent(index: int, row: np.ndarray, allowed: np.ndarray, table: np.ndarray, least: float) -> Children:
    ideas = ideas_of(np.sort(row), allowed, table, least)
    children = np.repeat(row[None, :], len(ideas), axis=0)
    for place in (0, 1):
        replaced = row[None, :] == ideas["old"][:, place, None]
        children = np.where(replaced, ideas["new"][:, place, None], children)
    return Children(children.astype(np.uint8), np.full(len(ideas), index), ideas["probability"].copy())


def _keys(elements: np.ndarray, places: Places) -> np.ndarray:
    """One integer per row; equal for rows that differ only by elements on like places."""
    sorted_rows = elements.astype(np.int64)
    for start in range(len(places)):
        alike = [column for column in range(start, len(places)) if places[column] == places[start]]
        if len(alike) > 1 and (start == 0 or places[start - 1] != places[start]):
            sorted_rows[:, alike] = np.sort(sorted_rows[:, alike], axis=1)
    return sorted_rows @ (128 ** np.arange(elements.shape[1], dtype=np.int64))
