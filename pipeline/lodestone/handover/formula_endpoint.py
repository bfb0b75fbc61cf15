"""The entries that an OPTIMADE server has of one formula, by the client that takes snapshots."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from lodestone.snapshot.optimade.client import LONGEST_DELAY, Endpoint
from lodestone.snapshot.optimade.providers import NAMED
from lodestone.snapshot.optimade.rows import FIELDS, attributes_of

MOST_ENTRIES = 1000  # of one formula


class FormulaEndpoint(Endpoint):
    """An endpoint that gives the entries of a formula."""

    def of_formula(self, formula: str, most: int = MOST_ENTRIES) -> list[dict[str, Any]]:
        """Its entries of a formula, with the fields that tell their crystals; the first of them if there are many.

        Raises:
            LodestoneError: As of :meth:`Endpoint.structures`; or if it takes no notice of the formula.
        """
        query, size = f'chemical_formula_reduced="{formula}"', self._page_size()
        first = self._page("structures", query, response_fields=list(FIELDS), page_limit=size)
        entries: list[dict[str, Any]] = []
        for entry in self._follow(first, _whole(first.meta.get("data_returned"))):
            stated = attributes_of(entry).get("chemical_formula_reduced")
            if isinstance(stated, str) and not _is_same(stated, formula):
                raise self._no_optimade(f"it has {stated[:40]!r} among the entries of {formula}")
            entries.append({"id": entry.get("id"), "attributes": _needed(entry)})
            if len(entries) == most:
                break
        time.sleep(min(_whole(self.meta.get("request_delay")) or 0, LONGEST_DELAY))
        return entries

    def _page_size(self) -> int | None:
        return next((one.page_size for one in NAMED.values() if one.address == self.address), None)


def _needed(entry: Mapping[str, Any]) -> dict[str, Any]:
    attributes = attributes_of(entry)
    return {name: attributes[name] for name in FIELDS if name in attributes}


def _is_same(one: str, other: str) -> bool:
    """Whether two formulas are of one composition, whatever the order of their elements."""
    from pymatgen.core import Composition

    with suppress(ValueError, KeyError, TypeError, ZeroDivisionError):
        return bool(Composition(one).fractional_composition.almost_equals(Composition(other).fractional_composition))
    return False


def _whole(value: Any) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and 0 <= value < 1e12 else None
