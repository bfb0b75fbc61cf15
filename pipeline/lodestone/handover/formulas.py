"""Formulas as OPTIMADE writes them: elements in alphabetical order, numbers of atoms without a common factor."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from lodestone.crystals.crystal import Crystal


def counts(crystal: Crystal) -> dict[str, int]:
    """Atoms of each element in the smallest formula unit, by element in alphabetical order.

    Not those of `formula_pretty`, which has Na2O2 where OPTIMADE has NaO.
    """
    atoms = {symbol: crystal.species.count(symbol) for symbol in sorted(set(crystal.species))}
    common = gcd(*atoms.values())
    return {symbol: n // common for symbol, n in atoms.items()}


def optimade_formula(crystal: Crystal) -> str:
    """``chemical_formula_reduced``."""
    return "".join(_part(*pair) for pair in counts(crystal).items())


def anonymous_formula(numbers: Sequence[int]) -> str:
    """``chemical_formula_anonymous``, as ``A3B`` of 1 and 3."""
    names = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return "".join(_part(*pair) for pair in zip(names, sorted(numbers, reverse=True), strict=False))


def _part(symbol: str, count: int) -> str:
    return symbol if count == 1 else f"{symbol}{count}"
