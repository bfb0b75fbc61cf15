"""Which elements may occur together: one predicate for the crystals of the snapshot and for every candidate.

Outside the chemistry of the snapshot the competing phases are unknown, and anything would look stable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from typing import Any

from lodestone.config.sections import Filters


def has_only(elements: Set[str], allowed: Iterable[str]) -> bool:
    """Whether all elements are allowed."""
    return elements <= set(allowed)


def holds_any_of(elements: Set[str], required: Iterable[str]) -> bool:
    """Whether one of the required elements is present; pure elements always pass, as the hull needs them."""
    return len(elements) == 1 or not elements.isdisjoint(required)


def within_a_system(elements: Set[str], systems: Iterable[str]) -> bool:
    """Whether one of the chemical systems, e.g. ``Li-Fe-O`` in any order, contains all elements."""
    return any(elements <= set(system.split("-")) for system in systems)


RULES: dict[str, Callable[[Set[str], Any], bool]] = {
    "elements": has_only,
    "require_any_of": holds_any_of,
    "chemical_systems": within_a_system,
}


def is_allowed(elements: Set[str], filters: Filters) -> bool:
    """Whether a crystal of these elements passes all filters on elements.

    Examples:
        >>> is_allowed({"Na", "Cl"}, Filters(chemical_systems=("Cl-K-Na",)))
        True
        >>> is_allowed({"Na", "Br"}, Filters(chemical_systems=("Cl-K-Na",)))
        False
    """
    values = {name: getattr(filters, name) for name in RULES}
    return all(RULES[name](elements, value) for name, value in values.items() if value is not None)
