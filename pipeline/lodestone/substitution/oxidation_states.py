"""Charge balance by common oxidation states."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np

from lodestone.crystals.elements import SYMBOLS

ANIONS = ("N", "O", "F", "S", "Cl", "Se", "Br", "Te", "I")


@lru_cache(maxsize=200_000)
def is_charge_balanced(elements: tuple[str, ...], counts: tuple[int, ...]) -> bool:
    """Whether common oxidation states, anions at their lowest, can sum to zero.

    Args:
        elements: Element symbols.
        counts: Atoms of each.
    """
    choices = product(*(_charges(symbol) for symbol in elements))
    return any(sum(q * n for q, n in zip(charges, counts, strict=True)) == 0 for charges in choices)


def is_neutral(atomic_numbers: np.ndarray) -> bool:
    """Whether a crystal of these atoms is charge balanced; without an anion there are no charges to balance."""
    numbers, counts = np.unique(atomic_numbers, return_counts=True)
    symbols = tuple(SYMBOLS[z] for z in numbers)
    if not set(symbols) & set(ANIONS):
        return True
    divisor = np.gcd.reduce(counts)
    return is_charge_balanced(symbols, tuple(int(n // divisor) for n in counts))


@lru_cache(maxsize=128)
def _charges(symbol: str) -> tuple[int, ...]:
    from pymatgen.core import Element

    common = tuple(int(q) for q in Element(symbol).common_oxidation_states)
    return common[:1] if symbol in ANIONS else tuple(q for q in common if q > 0)
