"""First come, first served, within limits: so that a ranking does not spend a pass on one kind of compound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping


class Quotas:
    """How much of each kind was taken already."""

    def __init__(self) -> None:
        self._taken: Counter[Hashable] = Counter()

    def admit(self, kinds: Mapping[Hashable, float], size: int = 1) -> bool:
        """Whether an item can be taken.

        Args:
            kinds: What the item is, and how much of each kind there may be at most.
            size: What the item counts.
        """
        return all(self._taken[kind] + size <= most for kind, most in kinds.items())

    def take(self, kinds: Mapping[Hashable, float], size: int = 1) -> None:
        """Count an item."""
        for kind in kinds:
            self._taken[kind] += size


def most_of_element(total: float, size: int, n_elements: int, crowding: float) -> float:
    """How many of some compounds may hold an element.

    Args:
        total: How many compounds there are.
        size: Elements of a compound.
        n_elements: Elements that they are made of.
        crowding: Largest number of compounds of an element over that if all elements were used alike.
    """
    return max(1.0, crowding * total * size / n_elements)
