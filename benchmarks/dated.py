"""What a database knew before a day, and what it has learned since: crystals to rediscover."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from lodestone.crystals.compositions import atomic_fractions
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import reduced_formula
from lodestone.discovery.generators.base import Proposal
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Label
from lodestone.replay.tables import Pool, described
from lodestone.stability.hull import ConvexHull


@dataclass(frozen=True)
class Dated:
    """A database on a day.

    Attributes:
        known: Entries made before it.
        later: Entries of formulas of which there was none before it.
        old_formulas: All other formulas: they were known, or may have been.
    """

    known: pl.DataFrame
    later: pl.DataFrame
    old_formulas: frozenset[str]


def deal_by_date(table: pl.DataFrame, day: str) -> Dated:
    """Divide a database by the day on which its entries were made.

    A formula with an entry of which nobody knows the day may have been known: it is in neither part.

    Args:
        table: Columns ``formula``, ``created_at`` (null where unknown) and ``energy_above_hull``.
        day: As ``2015-01-01``.

    Raises:
        LodestoneError: If nothing is known before that day, or nothing stable is new since.
    """
    first = table.group_by("formula").agg(
        pl.col("created_at").min().alias("first"), pl.col("created_at").null_count().alias("undated")
    )
    new = first.filter((pl.col("first") >= day) & (pl.col("undated") == 0))["formula"]
    found = Dated(
        known=table.filter(pl.col("created_at") < day),
        later=table.filter(pl.col("formula").is_in(new.implode())),
        old_formulas=frozenset(table["formula"]) - frozenset(new),
    )
    n_stable = int((found.later["energy_above_hull"] <= 0).sum())
    if min(len(found.known), n_stable) == 0:
        days = table["created_at"].drop_nulls()
        span = f"{days.min()} to {days.max()}" if len(days) else "none"
        raise LodestoneError(
            f"{day} leaves {len(found.known)} entries before it and {n_stable} new stable ones since",
            f"choose a day within those of the table ({span})",
        )
    return found


def candidates(
    proposals: Sequence[tuple[str, Proposal]], known: pl.DataFrame, hits: frozenset[str], old_formulas: frozenset[str]
) -> Pool:
    """Proposals as a pool, in which those that the database has found to be stable since count as finds.

    Args:
        proposals: Candidates, each with the name of its generator.
        known: Described crystals with their energies.
        hits: Decorated prototypes, which name formula and prototype, of stable entries made since.
        old_formulas: Reduced formulas of candidates that are left out.
    """
    every = [proposal for _, proposal in proposals]
    items = [one for one in every if reduced_formula(one.crystal.atomic_numbers) not in old_formulas]
    crystals: list[Crystal] = [proposal.crystal for proposal in items]
    fractions = atomic_fractions([crystal.atomic_numbers for crystal in crystals])
    hull = ConvexHull.of(known)
    table = described(crystals).with_columns(
        decorated_prototype=pl.Series([proposal.label for proposal in items]),
        material_id=pl.Series([f"candidate-{number}" for number in range(len(items))]),
        weight=pl.Series([float(proposal.weight) for proposal in items]),
        hull=pl.Series(hull.hull_energies(fractions)),
    )
    return Pool(table, crystals, np.array([proposal.label in hits for proposal in items]))


class Silent:
    """An oracle that reveals nothing: of most candidates nobody knows an energy."""

    def label(self, crystals: Sequence[Crystal]) -> Iterator[tuple[int, Label]]:
        """No label."""
        return iter(())
