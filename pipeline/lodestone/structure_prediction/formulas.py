"""Charge-balanced formulas, enumerated system by system in a random order.

The rule is GNoME's relaxed one (Merchant et al., Nature 624, 80 (2023)): all elements have usual oxidation states but a
few, which may lie anywhere between the lowest and the highest that are reported of them; Li15Si4 is found so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, combinations, islice, product, zip_longest
from math import comb, gcd

import numpy as np

from lodestone.crystals.compositions import Elements
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import SYMBOLS
from lodestone.substitution.charges import COMMON, STRICT, ChargeRule, is_neutral
from lodestone.substitution.oxidation_states import reported_states


@dataclass(frozen=True)
class Formula:
    """A reduced formula.

    Attributes:
        elements: Atomic numbers, ascending.
        counts: Atoms of each; they have no common divisor.
    """

    elements: Elements
    counts: tuple[int, ...]

    def __len__(self) -> int:
        return sum(self.counts)

    @classmethod
    def of(cls, atomic_numbers: np.ndarray) -> Formula:
        """The formula of a crystal."""
        elements, counts = np.unique(atomic_numbers, return_counts=True)
        return cls(tuple(elements.tolist()), tuple((counts // np.gcd.reduce(counts)).tolist()))

    @property
    def stoichiometry(self) -> tuple[int, ...]:
        """The numbers of atoms, ascending."""
        return tuple(sorted(self.counts))

    @property
    def atomic_numbers(self) -> np.ndarray:
        """One for each atom, ascending."""
        return np.repeat(self.elements, self.counts)

    def as_crystal(self) -> Crystal:
        """Atoms without a geometry, as views of compositions read them."""
        return Crystal(np.eye(3), self.atomic_numbers, np.zeros((len(self), 3)))


@dataclass(frozen=True, kw_only=True)
class FormulaLimits:
    """Which formulas are enumerated.

    Attributes:
        max_elements: Most elements of a formula.
        max_atoms: Most atoms of a reduced formula.
        max_odd_states: How many elements may have other states than usual ones.
        rule: What a compound with anions must also obey; ``None`` for nothing.
        stoichiometries: Numbers of atoms, ascending, that formulas may have; ``None`` for any.
        systems: Chemical systems that formulas may have, atomic numbers ascending; ``None`` for any.
    """

    max_elements: int
    max_atoms: int
    max_odd_states: int = 1
    rule: ChargeRule | None = None
    stoichiometries: frozenset[tuple[int, ...]] | None = None
    systems: frozenset[Elements] | None = None


def balanced_formulas(
    elements: Sequence[int],
    rng: np.random.Generator,
    limits: FormulaLimits,
    *,
    urgent: Sequence[np.ndarray] = (),
    most_per_system: int | None = None,
) -> Iterator[Formula]:
    """Charge-balanced formulas, each once.

    Args:
        elements: Atomic numbers that formulas may have; those without oxidation states are left out.
        rng: Decides the order of chemical systems, and of the formulas of each.
        limits: Which formulas there are.
        urgent: Chemical systems, atomic numbers each, that come first with their subsystems.
        most_per_system: Most formulas of one chemical system; ``None`` for all.
    """
    usable = sorted(z for z in elements if reported_states().get(SYMBOLS[z]))
    for system in _systems(usable, limits, rng, urgent):
        counts = stoichiometries(len(system), limits.max_atoms, limits.stoichiometries)
        rows = counts[are_balanced(system, counts, limits.max_odd_states)]
        shuffled = (Formula(system, tuple(row)) for row in rows[rng.permutation(len(rows))].tolist())
        neutral = (x for x in shuffled if limits.rule is None or is_neutral(x.atomic_numbers, limits.rule))
        yield from islice(neutral, most_per_system)


@lru_cache(maxsize=16)
def stoichiometries(n_elements: int, most_atoms: int, among: frozenset[tuple[int, ...]] | None = None) -> np.ndarray:
    """How many atoms of each element a reduced formula can have, shape ``(s, n_elements)``.

    Args:
        n_elements: Number of elements.
        most_atoms: Most atoms.
        among: Only these, in any order of the elements; they are ascending.
    """
    ends = combinations(range(1, most_atoms + 1), n_elements)
    counts = (tuple(b - a for a, b in zip((0, *end), end, strict=False)) for end in ends)
    reduced = [row for row in counts if gcd(*row) == 1 and (among is None or tuple(sorted(row)) in among)]
    return np.array(reduced, dtype=int).reshape(-1, n_elements)


def are_balanced(system: Elements, counts: np.ndarray, max_odd_states: int) -> np.ndarray:
    """Which stoichiometries can be neutral.

    Args:
        system: Atomic numbers.
        counts: Atoms of each, shape ``(s, k)``.
        max_odd_states: How many elements may lie between their lowest and highest state.

    Returns:
        Shape ``(s,)``.
    """
    places, found = range(len(system)), np.zeros(len(counts), dtype=bool)
    for odd in combinations(places, min(max_odd_states, len(system))):
        others = [place for place in places if place not in odd]
        ways = list(product(*(_usual(system[place]) for place in others)))
        charge = counts[:, others] @ np.array(ways, dtype=int).reshape(len(ways), len(others)).T
        lowest, highest = (counts[:, list(odd)] @ [_extremes(system[z])[end] for z in odd] for end in (0, 1))
        found |= ((charge + lowest[:, None] <= 0) & (charge + highest[:, None] >= 0)).any(axis=1)
    return found


def _usual(number: int) -> list[int]:
    return [state for state, share in reported_states()[SYMBOLS[number]].items() if share >= STRICT.least_share]


def _extremes(number: int) -> tuple[int, int]:
    states = [state for state, share in reported_states()[SYMBOLS[number]].items() if share >= COMMON.least_share]
    return min(states), max(states)


def _systems(
    elements: Sequence[int], limits: FormulaLimits, rng: np.random.Generator, urgent: Sequence[np.ndarray]
) -> Iterator[Elements]:
    """Chemical systems of two elements and more, each once; small and large ones take turns after the urgent ones."""
    usable = [[int(z) for z in np.unique(system) if z in elements] for system in urgent]
    sizes = range(2, limits.max_elements + 1)
    first = dict.fromkeys(chain.from_iterable(combinations(system, k) for system in usable for k in sizes))
    yield from (system for system in first if limits.systems is None or system in limits.systems)
    for turn in zip_longest(*(_of_size(elements, size, rng, limits.systems) for size in sizes)):
        yield from (system for system in turn if system is not None and system not in first)


def _of_size(
    elements: Sequence[int], size: int, rng: np.random.Generator, among: frozenset[Elements] | None
) -> Iterator[Elements]:
    if among is None:
        return _shuffled(elements, size, rng)
    usable = sorted(system for system in among if len(system) == size and set(system) <= set(elements))
    return (usable[place] for place in rng.permutation(len(usable)))


def _shuffled(elements: Sequence[int], size: int, rng: np.random.Generator) -> Iterator[Elements]:
    """All combinations, in an order that needs no memory: by steps of a random length that meets each rank once."""
    total = comb(len(elements), size)
    start, step = (int(x) for x in rng.integers(1, max(total, 2), 2))
    while gcd(step, total) > 1:
        step += 1
    for turn in range(total):
        yield tuple(elements[place] for place in _combination((start + turn * step) % total, len(elements), size))


def _combination(rank: int, n: int, size: int) -> list[int]:
    """The combination of a rank in lexicographic order."""
    places: list[int] = []
    for place in range(n):
        if len(places) == size:
            break
        with_it = comb(n - place - 1, size - len(places) - 1)
        if rank < with_it:
            places.append(place)
        else:
            rank -= with_it
    return places
