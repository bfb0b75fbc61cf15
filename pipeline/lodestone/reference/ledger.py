"""A reference set that grows: its crystals, and every decoration that is planned or was refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from lodestone.oracles.base import Label
from lodestone.reference.build import (
    FORMATION_ENERGY_RANGE,
    drop_implausible,
    labelled_rows,
    reason_of,
    with_formation_energy,
)
from lodestone.reference.decorations import Decoration

PLANNED = "planned"
DUPLICATE, IMPLAUSIBLE = "relaxed_to_a_duplicate", "implausible_energy"
KEY = ("aflow_prototype", "decoration")
TRIED = {"aflow_prototype": pl.String, "decoration": pl.String, "start_scale": pl.Float64, "status": pl.String}
_IS_ELEMENT = ~pl.col("chemsys").str.contains("-", literal=True)


@dataclass(frozen=True)
class Ledger:
    """What is known, and what was tried.

    Attributes:
        table: The crystals, as in the file.
        tried: Decorations that are no row of the table, with the factor on the guessed volume at their start, and why
            they were refused, or that they are planned.
        passes: One entry per pass: its ``kind``, how many were ``planned`` and ``relaxed``, and how many of these came
            to lie ``near`` the hull.
        seed: Root of all random choices.
    """

    table: pl.DataFrame
    tried: pl.DataFrame
    passes: tuple[Mapping[str, Any], ...]
    seed: int

    @property
    def keys(self) -> set[tuple[str, str]]:
        """Prototype and decoration of everything planned or tried."""
        return {*self.table.select(list(KEY)).iter_rows(), *self.tried.select(list(KEY)).iter_rows()}

    @property
    def planned(self) -> pl.DataFrame:
        """What is still to be relaxed, in the order of the plan."""
        return self.tried.filter(pl.col("status") == PLANNED)

    @property
    def elements(self) -> tuple[str, ...]:
        """Elements that have a reference energy."""
        return tuple(self.table.filter(_IS_ELEMENT)["chemsys"].unique().sort())

    def with_plan(self, plan: pl.DataFrame, kind: str) -> Ledger:
        """Begin a pass: decorations (columns of :data:`TRIED` but for the status) are to be relaxed."""
        rows = plan.with_columns(pl.lit(PLANNED).alias("status")).select(list(TRIED))
        entry = {"kind": kind, "planned": len(rows), "relaxed": 0, "near": 0}
        return replace(self, tried=pl.concat([self.tried, rows]), passes=(*self.passes, entry))

    def with_labels(self, rows: pl.DataFrame, labels: Sequence[Label], oracle: str) -> Ledger:
        """Take in the labels of some planned decorations; what is refused is remembered with its reason.

        Args:
            rows: Columns of :data:`TRIED`, with the start that was relaxed in the end.
            labels: One for each.
            oracle: Name of the oracle.
        """
        new = labelled_rows(decorations_of(rows), rows["start_scale"].to_list(), list(labels), oracle)
        computed = with_formation_energy(pl.concat([self.table.select(new.columns), new]))
        kept, _ = drop_implausible(computed)
        plausible = pl.col("formation_energy_per_atom").is_between(*FORMATION_ENERGY_RANGE)
        why = pl.when(plausible).then(pl.lit(DUPLICATE)).otherwise(pl.lit(IMPLAUSIBLE)).alias("status")
        dropped = computed.join(kept, on=KEY, how="anti", maintain_order="left").with_columns(why)
        statuses = pl.Series("status", [reason_of(label) for label in labels], dtype=pl.String)
        failed = rows.with_columns(statuses).filter(pl.col("status") != "ok")
        waiting = self.tried.join(rows, on=KEY, how="anti", maintain_order="left")
        tried = pl.concat([waiting, failed.select(list(TRIED)), dropped.select(list(TRIED))])
        return replace(self, table=kept.sort("material_id"), tried=tried)

    def with_counts(self, relaxed: int, near: int) -> Ledger:
        """Add to the counts of the current pass."""
        last = self.passes[-1]
        entry = {**last, "relaxed": last["relaxed"] + relaxed, "near": last["near"] + near}
        return replace(self, passes=(*self.passes[:-1], entry))


def decorations_of(rows: pl.DataFrame) -> list[Decoration]:
    """Prototype and elements of each row."""
    return [(label, tuple(elements.split("-"))) for label, elements in rows.select(list(KEY)).iter_rows()]


def plan_of(decorations: Sequence[Decoration], scales: Sequence[float]) -> pl.DataFrame:
    """Decorations and their starts as a table to plan."""
    rows = [(label, "-".join(elements), scale) for (label, elements), scale in zip(decorations, scales, strict=True)]
    return pl.DataFrame(rows, schema={name: kind for name, kind in TRIED.items() if name != "status"}, orient="row")
