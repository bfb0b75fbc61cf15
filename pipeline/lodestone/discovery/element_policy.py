"""Which elements a search must not use: the section `discovery.elements`."""

from __future__ import annotations

from collections.abc import Iterable

from lodestone.config.discovery import ElementPolicy
from lodestone.substitution.element_data import (
    TOXIC,
    crustal_abundances,
    prices,
    radioactive_elements,
    supply_concentrations,
)


def excluded_elements(elements: Iterable[str], policy: ElementPolicy) -> frozenset[str]:
    """Those of some elements that a policy does not let candidates have.

    Known crystals of these elements stay on the hull.

    Examples:
        >>> sorted(excluded_elements(["Na", "Pb", "U", "O"], ElementPolicy(toxic=False, radioactive=False)))
        ['Pb', 'U']
    """
    return frozenset(symbol for symbol in elements if _is_excluded(symbol, policy))


def _is_excluded(symbol: str, policy: ElementPolicy) -> bool:
    """By the first reason that holds; without a policy, no data is read."""
    return (
        (policy.allowed is not None and symbol not in policy.allowed)
        or symbol in policy.excluded
        or (not policy.radioactive and symbol in radioactive_elements())
        or (not policy.toxic and symbol in TOXIC)
        or (policy.min_abundance > 0 and crustal_abundances().get(symbol, 0.0) < policy.min_abundance)
        or (
            policy.max_supply_concentration is not None
            and supply_concentrations().get(symbol, 0.0) > policy.max_supply_concentration
        )
        or (policy.max_price is not None and prices().get(symbol, 0.0) > policy.max_price)
    )
