"""Whether a compound can be neutral by the oxidation states that are reported of its elements.

A rule looks for oxidation states that sum to zero, cations being less electronegative than anions (Davies et al.,
Chem 1, 617 (2016)). What else it knows is stated by :class:`ChargeRule`. Charges that some atoms of an element can have
together are the bits of an integer, so that the sums of two sets are a few shifts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import pairwise

import numpy as np

from lodestone.crystals.elements import SYMBOLS
from lodestone.errors import LodestoneError
from lodestone.substitution.oxidation_states import ANIONS, electronegativities, reported_states

Ions = tuple[tuple[str, int], ...]  # elements and how many atoms of each


@dataclass(frozen=True, kw_only=True)
class ChargeRule:
    """Which charges atoms may have.

    Attributes:
        least_share: A state counts if so many of the reports of its element are of it.
        mixed_valence: Whether an element may take two neighboring states in one compound, as iron in Fe3O4.
        anion_bonds: Whether atoms of an anion may bond to each other: see :func:`_bonded`.
        usual_share: States that are reported so often are usual; where anions bond to each other, cations have given
            all the electrons that they usually give.
    """

    least_share: float
    mixed_valence: bool = False
    anion_bonds: bool = False
    usual_share: float = 0.05


STRICT = ChargeRule(least_share=0.05)
COMMON = ChargeRule(least_share=0.005, mixed_valence=True, anion_bonds=True)


def charge_rule(name: str) -> ChargeRule | None:
    """The rule of a name in the parameters: strict, common, or off, which is none."""
    return {"strict": STRICT, "common": COMMON, "off": None}[name]


def check_states(symbols: Iterable[str], rule: ChargeRule) -> None:
    """See to it that a rule can judge compounds of some elements.

    Raises:
        LodestoneError: If one of them has no states.
    """
    without = [symbol for symbol in sorted(symbols) if not any(_states(symbol, sign, rule) for sign in (1, -1))]
    if without:
        remedy = "leave them out by snapshot.filters.elements, or set discovery.charge_balance: off"
        raise LodestoneError(f"no oxidation states are known of {', '.join(without)}", remedy)


def is_neutral(atomic_numbers: np.ndarray, rule: ChargeRule = COMMON) -> bool:
    """Whether a crystal of these atoms is charge balanced; without an anion there are no charges to balance."""
    numbers, counts = np.unique(atomic_numbers, return_counts=True)
    symbols = tuple(SYMBOLS[z] for z in numbers)
    if set(symbols).isdisjoint(ANIONS):
        return True
    divisor = np.gcd.reduce(counts)
    return is_charge_balanced(symbols, tuple((counts // divisor).tolist()), rule)


@lru_cache(maxsize=200_000)
def is_charge_balanced(elements: tuple[str, ...], counts: tuple[int, ...], rule: ChargeRule = COMMON) -> bool:
    """Whether oxidation states that a rule knows can sum to zero.

    Args:
        elements: Element symbols, each once.
        counts: Atoms of each in the reduced formula.
        rule: Which states there are.

    Examples:
        >>> is_charge_balanced(("Fe", "S"), (1, 2)), is_charge_balanced(("Na", "Cl"), (1, 2))
        (True, False)
    """
    return any(_is_balanced(cations, anions, rule) for cations, anions in _splits(elements, counts))


def _splits(elements: tuple[str, ...], counts: tuple[int, ...]) -> Iterator[tuple[Ions, Ions]]:
    """Cations and anions in all ways in which each anion is more electronegative than each cation."""
    ions = tuple(sorted(zip(elements, counts, strict=True), key=lambda ion: _place(ion[0])))
    for cut in range(1, len(ions)):
        if _place(ions[cut - 1][0]) < _place(ions[cut][0]):
            yield ions[:cut], ions[cut:]


def _place(symbol: str) -> tuple[bool, float]:
    """Where an element stands between cations and anions.

    The usual anions come last: on Pauling's scale As, Pt and others are more electronegative than Te, and As2Te3 would
    have no anion. Elements without a value are lanthanides and actinides.
    """
    return symbol in ANIONS, electronegativities().get(symbol, 0.0)


def _is_balanced(cations: Ions, anions: Ions, rule: ChargeRule) -> bool:
    negative = _sums(tuple(_charges(symbol, n, -1, rule) for symbol, n in anions))
    if negative and negative & _sums(tuple(_charges(symbol, n, 1, rule) for symbol, n in cations)):
        return True
    if not rule.anion_bonds or len(anions) > 1:
        return False
    return bool(_bonded(*anions[0], rule) & _sums(tuple(_all_given(symbol, n, rule) for symbol, n in cations)))


@lru_cache(maxsize=10_000)
def _charges(symbol: str, n: int, sign: int, rule: ChargeRule) -> int:
    """Charges, without their sign, that some atoms of an element can have together."""
    states = _states(symbol, sign, rule)
    alike = {state * n for state in states}
    mixed = {low * k + high * (n - k) for low, high in pairwise(states) for k in range(n + 1)}
    return _bits(alike | mixed if rule.mixed_valence else alike)


@lru_cache(maxsize=10_000)
def _bonded(symbol: str, n: int, rule: ChargeRule) -> int:
    """Charges, without their sign, of atoms of an anion that bond to each other.

    An atom that lacks two electrons or more can share some with its like and take on one only, as in peroxides; in a
    chain or ring of them down to a third, as in azides, ozonides and S6 2-. A halide, which lacks one, can not.
    """
    can_share = max(_states(symbol, -1, rule), default=0) > 1
    return _bits(range(-(-n // 3), n + 1)) if can_share else 0


@lru_cache(maxsize=10_000)
def _all_given(symbol: str, n: int, rule: ChargeRule) -> int:
    """The charge of cations that have given all the electrons that they usually give."""
    usual = [state for state, share in reported_states().get(symbol, {}).items() if share >= rule.usual_share]
    return _bits([n * max(usual)]) if usual and max(usual) > 0 else 0


@lru_cache(maxsize=1_000)
def _states(symbol: str, sign: int, rule: ChargeRule) -> tuple[int, ...]:
    """States of one sign, without it, ascending."""
    known = reported_states().get(symbol, {}).items()
    return tuple(sorted(abs(state) for state, share in known if state * sign > 0 and share >= rule.least_share))


def _bits(numbers: Iterable[int]) -> int:
    return reduce(lambda bits, number: bits | 1 << number, numbers, 0)


@lru_cache(maxsize=100_000)
def _sums(sets: tuple[int, ...]) -> int:
    """All sums of one number out of each set."""
    return reduce(_pairwise_sums, sets)


def _pairwise_sums(one: int, other: int) -> int:
    few, many = sorted((one, other), key=int.bit_count)
    total = 0
    while few:
        lowest = few & -few  # a power of two: to multiply by it is to shift
        total |= many * lowest
        few ^= lowest
    return total
