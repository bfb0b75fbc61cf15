"""What to relax next: missing elements, then the first compounds of each, then what networks put near the hull."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from lodestone.config.sections import ViewParams
from lodestone.reference.closing import SCREENED
from lodestone.reference.decorations import Decoration, element_decorations
from lodestone.reference.enumeration import LARGEST_CELL, WIDE_ELEMENTS, enumerate_decorations
from lodestone.reference.first_phases import first_phases
from lodestone.reference.ledger import Ledger, plan_of
from lodestone.reference.networks import train_ensemble
from lodestone.reference.prototypes import load_prototypes
from lodestone.reference.screening import Screened, screen
from lodestone.reference.selection import Limits, select
from lodestone.runtime.seeds import child_seed
from lodestone.stability.hull import ConvexHull


@dataclass(frozen=True)
class Planner:
    """Plans a pass; the same set always gives the same plan.

    Attributes:
        views: Parameters of the networks.
        elements: Symbols of the elements to use.
        largest_cell: Prototypes with more sites are left out.
        screened: About how many decorations all views judge in a pass.
        limits: What a batch may hold.
    """

    views: Mapping[str, ViewParams]
    elements: tuple[str, ...] = WIDE_ELEMENTS
    largest_cell: int = LARGEST_CELL
    screened: int = 100_000
    limits: Limits = field(default_factory=Limits)

    def __call__(self, ledger: Ledger) -> tuple[str, pl.DataFrame]:
        """The kind of the next pass, and its decorations with their starts."""
        for kind, decorations in (("elements", self._elements(ledger)), ("pairs", self._first_phases(ledger))):
            if decorations:
                return kind, plan_of(decorations, [1.0] * len(decorations))
        return SCREENED, select(self.screen(ledger).table, ledger.table, self.limits)

    def screen(self, ledger: Ledger) -> Screened:
        """Train networks on the set, and let them judge what was not tried."""
        seed = child_seed(ledger.seed, "close", len(ledger.passes))
        ensemble, hull = train_ensemble(ledger.table, self.views, seed), ConvexHull.of(ledger.table)
        return screen(lambda: self._untried(ledger), ledger.table, ensemble, hull, self.screened)

    def _elements(self, ledger: Ledger) -> list[Decoration]:
        missing = sorted(set(self.elements) - set(ledger.elements))
        return list(_without(element_decorations(load_prototypes(), missing), ledger))

    def _first_phases(self, ledger: Ledger) -> list[Decoration]:
        usable = self._usable(ledger)
        compounds = ledger.table.filter(pl.col("chemsys").str.contains("-", literal=True))["chemsys"]
        new = sorted(set(usable) - set(compounds.str.split("-").explode()))
        return list(first_phases(new, usable, ledger.keys, ledger.seed)) if new else []

    def _untried(self, ledger: Ledger) -> Iterator[Decoration]:
        return _without(enumerate_decorations(self._usable(ledger), self.largest_cell), ledger)

    def _usable(self, ledger: Ledger) -> tuple[str, ...]:
        """The elements that have a reference energy."""
        return tuple(sorted(set(self.elements) & set(ledger.elements)))


def _without(decorations: Iterable[Decoration], ledger: Ledger) -> Iterator[Decoration]:
    tried = ledger.keys
    return (item for item in decorations if (item[0], "-".join(item[1])) not in tried)
