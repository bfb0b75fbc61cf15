"""One unit of a search: some families, screened by one process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lodestone.crystals.soundness import why_unsound
from lodestone.discovery.screening import screen
from lodestone.screening.batch import Batch
from lodestone.screening.cascade import Cascade
from lodestone.screening.families import Family, children_of
from lodestone.screening.search import Ground, Search

ROUND = "screened"  # prefix of identifiers
_AT_ONCE = 20_000  # children that the networks are shown together


@dataclass(frozen=True)
class Unit:
    """Work for one process.

    Attributes:
        search: What is searched.
        families: Whose children are screened.
        cascade: Who passes.
        path: Where the best go; counts stand beside it, as JSON that is written last.
    """

    search: Search
    families: Sequence[Family]
    cascade: Cascade
    path: Path

    @property
    def counts_path(self) -> Path:
        """Counts; the unit is done where this file is."""
        return self.path.with_suffix(".json")


@dataclass(frozen=True)
class Found:
    """What a unit has found.

    Attributes:
        counts: Children, candidates, and those that all networks have judged.
        best: The likeliest to be stable; ``None`` where no candidate has passed.
    """

    counts: dict[str, int]
    best: pl.DataFrame | None


def run_unit(ground: Ground, unit: Unit) -> Found:
    """Screen a unit."""
    counts, tables = {"children": 0, "candidates": 0, "judged": 0}, []
    for family in unit.families:
        batch = children(ground, family, unit.search)
        counts["children"] += len(batch)
        for piece in batch.pieces(_AT_ONCE):
            obeying = piece.obeying()
            passing = unit.cascade.passing(obeying)
            counts["candidates"] += len(obeying)
            counts["judged"] += len(passing)
            if len(passing):
                tables.append(judged(passing))
    return Found(counts, best(pl.concat(tables), unit.search.keep) if tables else None)


def children(ground: Ground, family: Family, search: Search) -> Batch:
    """All children of a family that are neither known nor tried."""
    return Batch(ground, family, children_of(family, ground.allowed, ground.table, search.least))


def judged(batch: Batch) -> pl.DataFrame:
    """What the whole ensemble says, as columns of :class:`lodestone.schemas.Candidates`; unsound crystals left out."""
    proposals = [one for one in batch.proposals() if why_unsound(one[1].crystal) is None]
    ground = batch.ground
    if not proposals:
        return pl.DataFrame()
    prediction = ground.ensemble.predict([proposal.crystal for _, proposal in proposals], "unrelaxed")
    return screen(proposals, prediction, ground.hull, ROUND, max_depth=ground.params.discovery.max_depth)


def best(table: pl.DataFrame, keep: int) -> pl.DataFrame:
    """The likeliest to be stable, in this order."""
    return table.sort(["stability_probability", "material_id"], descending=[True, False]).head(keep)
