"""Input and output of a round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from lodestone.config.params import Params
from lodestone.curation.labelling import energy_above_hull, hull_of
from lodestone.curation.splits import split_verified
from lodestone.schemas import Crystals, Phases
from lodestone.stability.hull import ConvexHull

VERDICTS = ("is_stable", "is_discovery", "hull_is_incomplete")


@dataclass(frozen=True)
class RoundState:
    """Input of a round.

    Attributes:
        crystals: Known crystals (contract :class:`lodestone.schemas.Crystals`).
        attempts: Candidates already given to the oracle (contract :class:`lodestone.schemas.Attempts`).
        references: Elemental references (contract :class:`lodestone.schemas.References`); never changed.
        phases: Competing phases without structures (contract :class:`lodestone.schemas.Phases`); never changed.
    """

    crystals: pl.DataFrame
    attempts: pl.DataFrame
    references: pl.DataFrame
    phases: pl.DataFrame = field(default_factory=Phases.empty)

    def hull(self) -> ConvexHull:
        """The convex hull of the known crystals and, numbered after them, of the phases without structures."""
        return hull_of(self.crystals, self.crystals["formation_energy_per_atom"].to_numpy(), self.phases)

    def compounds(self) -> pl.DataFrame:
        """Formula, chemical system and formation energy of all that the hull is made of, in its order."""
        columns = ["formula_pretty", "chemsys", "formation_energy_per_atom"]
        return pl.concat([self.crystals.select(columns), self.phases.select(columns)])

    def incomplete_systems(self) -> frozenset[str]:
        """Chemical systems in which a crystal lay so deep below the hull that phases must be missing."""
        return frozenset(self.attempts.filter("hull_is_incomplete")["chemsys"])


@dataclass(frozen=True)
class Choice:
    """What a round gives to the oracle, before any answer.

    Attributes:
        candidates: Contract :class:`lodestone.schemas.Candidates`.
        counts: How many were proposed, dropped and screened.
    """

    candidates: pl.DataFrame
    counts: Mapping[str, Any]


@dataclass(frozen=True)
class RoundResult:
    """Output of a round.

    Attributes:
        candidates: Contract :class:`lodestone.schemas.Candidates`.
        verifications: Contract :class:`lodestone.schemas.Verifications`.
        state: Where the next round starts.
        metrics: Counts, hit rates and errors.
    """

    candidates: pl.DataFrame
    verifications: pl.DataFrame
    state: RoundState
    metrics: dict[str, Any]


def next_state(
    name: str, state: RoundState, acquired: pl.DataFrame, verifications: pl.DataFrame, params: Params
) -> RoundState:
    """Add the results of a round: new crystals on a new hull, and the candidates that were tried."""
    tried = acquired.select("material_id", "decorated_prototype", "chemsys", pl.lit(name).alias("round")).join(
        verifications.select("material_id", *VERDICTS),
        on="material_id",
        maintain_order="left",
    )
    attempts = pl.concat([state.attempts, tried.drop("material_id")])
    new = verifications.filter("is_new")
    crystals = _with_new(name, state, new, params) if len(new) else state.crystals
    return RoundState(crystals, attempts, state.references, state.phases)


def _with_new(name: str, state: RoundState, verified: pl.DataFrame, params: Params) -> pl.DataFrame:
    new = verified.with_columns(
        pl.lit(name).alias("origin"),
        pl.lit(None, dtype=pl.Float64).alias("source_formation_energy_per_atom"),
        pl.lit(None, dtype=pl.String).alias("created_at"),
        pl.col("atomic_numbers").list.len().cast(pl.Int32).alias("nsites"),
        pl.lit("train").alias("split"),
    )
    columns = list(Crystals.to_schema().columns)
    split = split_verified(new, state.crystals, params.split)
    merged = pl.concat([state.crystals.select(columns), split.select(columns)])
    hull = energy_above_hull(merged, merged["formation_energy_per_atom"].to_numpy(), state.phases)
    return merged.with_columns(hull).sort("material_id")
