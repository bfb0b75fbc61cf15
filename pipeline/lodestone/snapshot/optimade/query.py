"""The parameters' filters in the OPTIMADE filter language."""

from __future__ import annotations

from collections.abc import Iterable

from lodestone.config.sections import Filters
from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.snapshot.optimade.providers import Provider

LONGEST = 3000  # characters; many servers refuse addresses longer than 8 kB
HEAVIEST = 94  # no crystal database has heavier elements, and some servers refuse their names


def optimade_filter(filters: Filters, provider: Provider) -> str:
    """A filter that the endpoint understands; it keeps at least what ours keep, and ours are applied again afterwards.

    Args:
        filters: From ``snapshot.filters``; elements must exist.
        provider: Defines what its endpoint understands.

    Returns:
        The filter; empty if there is nothing to filter.
    """
    clauses = [*_of_elements(filters, provider.has_only), *_of_sizes(filters)]
    if filters.require_any_of:
        clauses.append(f"(nelements=1 OR elements HAS ANY {_listed(filters.require_any_of)})")
    if provider.hull_field and filters.max_energy_above_hull is not None:
        clauses.append(f"{provider.hull_field}<={filters.max_energy_above_hull!r}")
    return " AND ".join(clauses)


def _of_elements(filters: Filters, has_only: bool) -> list[str]:
    clauses = []
    if filters.elements:
        clauses.append(_only(filters.elements, has_only))
    if filters.chemical_systems:
        systems = sorted({tuple(sorted(system.split("-"))) for system in filters.chemical_systems})
        within = " OR ".join(f"({_only(system, has_only)})" for system in systems)
        if len(within) > LONGEST:  # ask for any system of their elements; the rest is filtered here
            within = _only((element for system in systems for element in system), has_only)
        clauses.append(f"({within})")
    return clauses


def _of_sizes(filters: Filters) -> list[str]:
    least = [f"nsites>={filters.min_sites}"] if filters.min_sites > 1 else []
    return least + ([] if filters.max_sites is None else [f"nsites<={filters.max_sites}"])


def _only(elements: Iterable[str], has_only: bool) -> str:
    allowed = set(elements)
    if has_only:
        return f"elements HAS ONLY {_listed(allowed)}"
    return f"NOT elements HAS ANY {_listed(e for e, z in ATOMIC_NUMBERS.items() if e not in allowed and z <= HEAVIEST)}"


def _listed(elements: Iterable[str]) -> str:
    return ",".join(f'"{element}"' for element in sorted(set(elements)))
