"""The charge rule that the decorations of the reference set were drawn by; another rule would draw others."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

from lodestone.substitution.oxidation_states import ANIONS


@lru_cache(maxsize=200_000)
def is_charge_balanced(elements: tuple[str, ...], counts: tuple[int, ...]) -> bool:
    """Whether pymatgen's common oxidation states, anions at their lowest, can sum to zero.

    Campaigns screen candidates by :mod:`lodestone.substitution.charges`, which refuses fewer compounds that exist.

    Args:
        elements: Element symbols.
        counts: Atoms of each.
    """
    choices = product(*(_charges(symbol) for symbol in elements))
    return any(sum(q * n for q, n in zip(charges, counts, strict=True)) == 0 for charges in choices)


@lru_cache(maxsize=128)
def _charges(symbol: str) -> tuple[int, ...]:
    from pymatgen.core import Element

    common = tuple(int(q) for q in Element(symbol).common_oxidation_states)
    return common[:1] if symbol in ANIONS else tuple(q for q in common if q > 0)
