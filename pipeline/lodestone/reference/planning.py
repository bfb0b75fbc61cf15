"""What to relax next: missing elements, then the first compounds of each, then what networks put near the hull."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import inf

import polars as pl

from lodestone.config.sections import ViewParams
from lodestone.ensemble.ensemble import Ensemble
from lodestone.reference.closing import SCREENED
from lodestone.reference.decorations import Decoration, element_decorations
from lodestone.reference.enumeration import LARGEST_CELL, WIDE_ELEMENTS, enumerate_decorations
from lodestone.reference.first_phases import first_phases
from lodestone.reference.ledger import Ledger, plan_of
from lodestone.reference.networks import train_ensemble
from lodestone.reference.prototypes import load_prototypes
from lodestone.reference.screening import Screened, screen
from lodestone.reference.selection import Limits, select
from lodestone.reference.stoichiometries import COMMON, missing_pairs
from lodestone.runtime.seeds import child_seed
from lodestone.stability.hull import ConvexHull

_PAIR_MARGIN = 0.25  # eV/atom above the hull: what networks say of a pair without such a compound errs by that much


@dataclass(frozen=True)
class Planner:
    """Plans a pass; the same set always gives the same plan.

    Attributes:
        views: Parameters of the networks.
        elements: Symbols of the elements to use.
        largest_cell: Prototypes with more sites are left out.
        screened: About how many decorations all views judge in a pass.
        limits: What a batch may hold.
        pairs: Whether each pair of elements is tried in the common stoichiometries before what networks put lowest.
        prototypes: Only decorations of these are tried, by their labels; all if there are none.
        ensemble: Networks that judge; by default, each pass trains its own on the set.
    """

    views: Mapping[str, ViewParams]
    elements: tuple[str, ...] = WIDE_ELEMENTS
    largest_cell: int = LARGEST_CELL
    screened: int = 100_000
    limits: Limits = field(default_factory=Limits)
    pairs: bool = False
    prototypes: frozenset[str] = frozenset()
    ensemble: Ensemble | None = None

    def __call__(self, ledger: Ledger) -> tuple[str, pl.DataFrame]:
        """The kind of the next pass, and its decorations with their starts."""
        for kind, decorations in (("elements", self._elements(ledger)), ("pairs", self._first_phases(ledger))):
            if decorations:
                return kind, plan_of(decorations, [1.0] * len(decorations))
        if self.prototypes:
            return "prototypes", select(self.screen(ledger, self._untried).table, ledger.table, self.limits)
        if self.pairs:
            limits = replace(self.limits, margin=_PAIR_MARGIN, per_system=len(COMMON) * 2, crowding=inf)
            plan = select(self.screen(ledger, self._missing_pairs).table, ledger.table, limits)
            if len(plan):
                return "stoichiometries", plan
        return SCREENED, select(self.screen(ledger, self._untried).table, ledger.table, self.limits)

    def screen(self, ledger: Ledger, decorations: Callable[[Ledger], Iterable[Decoration]]) -> Screened:
        """Train networks on the set, and let them judge decorations."""
        seed = child_seed(ledger.seed, "close", len(ledger.passes))
        ensemble, hull = self.ensemble or train_ensemble(ledger.table, self.views, seed), ConvexHull.of(ledger.table)
        return screen(lambda: decorations(ledger), ledger.table, ensemble, hull, self.screened)

    def _elements(self, ledger: Ledger) -> list[Decoration]:
        missing = sorted(set(self.elements) - set(ledger.elements))
        return list(_without(element_decorations(load_prototypes(), missing), ledger))

    def _first_phases(self, ledger: Ledger) -> list[Decoration]:
        usable = self._usable(ledger)
        compounds = ledger.table.filter(pl.col("chemsys").str.contains("-", literal=True))["chemsys"]
        new = sorted(set(usable) - set(compounds.str.split("-").explode()))
        return list(first_phases(new, usable, ledger.keys, ledger.seed)) if new else []

    def _missing_pairs(self, ledger: Ledger) -> Iterator[Decoration]:
        return _without(missing_pairs(ledger.table, self._usable(ledger), self.largest_cell), ledger)

    def _untried(self, ledger: Ledger) -> Iterator[Decoration]:
        everything = enumerate_decorations(self._usable(ledger), self.largest_cell)
        return _without((one for one in everything if not self.prototypes or one[0] in self.prototypes), ledger)

    def _usable(self, ledger: Ledger) -> tuple[str, ...]:
        """The elements that have a reference energy."""
        return tuple(sorted(set(self.elements) & set(ledger.elements)))


def _without(decorations: Iterable[Decoration], ledger: Ledger) -> Iterator[Decoration]:
    tried = ledger.keys
    return (item for item in decorations if (item[0], "-".join(item[1])) not in tried)
