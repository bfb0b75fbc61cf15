"""Filters of the parameters in the filter language of OPTIMADE."""

from __future__ import annotations

from collections.abc import Iterable

from lodestone.config.sections import Filters
from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.snapshot.optimade.providers import Provider

LONGEST = 3000  # characters; addresses beyond 8 kB are refused by many servers
HEAVIEST = 94  # elements beyond it are in no database of crystals, and some servers refuse their names


def optimade_filter(filters: Filters, provider: Provider) -> str:
    """What an endpoint can filter; it keeps at least all that the filters keep, and these are applied again here.

    Args:
        filters: From ``snapshot.filters``; elements must exist.
        provider: Says what its endpoint understands.

    Returns:
        A filter, empty where there is nothing to say.
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
        if len(within) > LONGEST:  # any system of their elements, then; the rest is filtered here
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
