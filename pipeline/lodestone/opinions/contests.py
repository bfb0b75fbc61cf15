"""What each find is held against: the phases that the campaign knows in its chemical system, near their hull."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from lodestone.crystals.compositions import fractions_of_formulas
from lodestone.crystals.elements import SYMBOLS
from lodestone.handover.campaign import Finished
from lodestone.handover.phases import System
from lodestone.stability.hull import ConvexHull

NEAR = 0.05  # eV/atom above the campaign's own hull: higher phases are not labelled
_IS_ELEMENT = ~pl.col("chemsys").str.contains("-", literal=True)


@dataclass(frozen=True, kw_only=True)
class Contest:
    """A find and the phases that it is held against.

    Attributes:
        find: Its row of the discoveries.
        phases: Columns ``material_id``, ``formula_pretty``, ``chemsys``, and ``is_needed``: whether a hull without it
            means nothing, since it is the lowest of an element or takes part in the decomposition of the find.
        distance: Of the find to the campaign's own hull without it, eV/atom; negative: below.
    """

    find: Mapping[str, Any]
    phases: pl.DataFrame
    distance: float

    @property
    def elements(self) -> list[str]:
        """Symbols of the find's elements."""
        return str(self.find["chemsys"]).split("-")


def contests(campaign: Finished, near: float = NEAR, *, few: bool = False) -> Iterator[Contest]:
    """One for each discovery, in their order.

    Args:
        campaign: A finished campaign.
        near: Compounds further above the hull of its system without the find are left out, eV/atom. Of each
            composition the lowest competes, of each element all that lie so near.
        few: Whether only those compete that are needed, for an oracle that takes long.
    """
    for row in campaign.discoveries.iter_rows(named=True):
        everything = campaign.phases.within(row["chemsys"].split("-")).table
        contest = _contest(row, System.of(everything.filter(pl.col("material_id") != row["material_id"])), near)
        yield replace(contest, phases=contest.phases.filter("is_needed")) if few else contest


def _contest(find: Mapping[str, Any], others: System, near: float) -> Contest:
    table = others.table
    hull = ConvexHull(fractions_of_formulas(table["formula_pretty"]), table["formation_energy_per_atom"].to_numpy())
    target, energy = fractions_of_formulas([find["formula_pretty"]]), find["formation_energy_per_atom"]
    [distance], [decomposition] = hull.energies_above_hull(target, energy), hull.decompositions(target)
    lowest = others.lowest()
    first = dict(lowest.filter(_IS_ELEMENT).select("chemsys", "material_id").iter_rows())
    parts = [table["material_id"][phase] if phase >= 0 else first.get(SYMBOLS[-phase]) for phase, _ in decomposition]
    phases = pl.concat([lowest.filter(~_IS_ELEMENT), table.filter(_IS_ELEMENT)]).filter(
        pl.col("energy_above_hull") <= near
    )
    is_needed = pl.col("material_id").is_in([*parts, *first.values()])
    kept = phases.select("material_id", "formula_pretty", "chemsys", is_needed=is_needed).sort("material_id")
    return Contest(find=find, phases=kept, distance=float(distance))
