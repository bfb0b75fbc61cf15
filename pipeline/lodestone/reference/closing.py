"""`lodestone reference --close`: let a reference set grow until its hull closes.

Pass after pass, networks that are trained on the set screen all decorations, and what they put near its hull is
relaxed. The loop ends when hardly anything of a pass comes to lie there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.oracles.base import Label, Labeller, Oracle
from lodestone.reference.build import SECOND_SCALE, initial_crystal
from lodestone.reference.ledger import KEY, Ledger, decorations_of
from lodestone.reference.ledger_files import load_ledger, write_ledger
from lodestone.reference.prototypes import all_prototypes
from lodestone.stability.hull import ConvexHull

NEAR = 0.05  # eV/atom
SCREENED = "screened"  # the kind of the passes that can close the hull

Chooser = Callable[[Ledger], tuple[str, pl.DataFrame]]


@dataclass(frozen=True)
class Ends:
    """When the loop ends.

    Attributes:
        until: It is closed when a smaller share of a screened pass came to lie within 0.05 eV/atom of the hull.
        limit: So many relaxations were made.
        hours: So much time has passed; a pass may be left in the middle, and goes on with the next call.
    """

    until: float = 0.02
    limit: int | None = None
    hours: float | None = None


def close(
    path: Path, oracle: Oracle, label: Labeller, choose: Chooser, *, ends: Ends | None = None, piece: int = 100
) -> tuple[Ledger, str]:
    """Let a reference set grow.

    Both files are written after each piece, so that a kill costs at most what the label store does not hold. Whoever
    goes on, here or elsewhere, finishes the pass that was planned before planning another.

    Args:
        path: The reference set, and where it is written.
        oracle: Oracle of its labels.
        label: Labels crystals with it.
        choose: Plans a pass: its kind, and decorations with their starts; none if there is nothing left to try.
        ends: When to end.
        piece: Relaxations after which the files are written.

    Returns:
        The set, and why the loop ended: ``closed``, ``exhausted``, ``limit`` or ``hours``.
    """
    ends = Ends() if ends is None else ends
    ledger, began, relaxed = load_ledger(path, oracle), time.monotonic(), 0
    while True:
        if ledger.planned.is_empty():
            if is_closed(ledger, ends.until):
                return ledger, "closed"
            kind, plan = choose(ledger)
            if plan.is_empty():
                return ledger, "exhausted"
            ledger = ledger.with_plan(plan, kind)
        if ends.limit is not None and relaxed >= ends.limit:
            return _written(ledger, path, oracle), "limit"
        if ends.hours is not None and time.monotonic() - began >= ends.hours * 3600:
            return _written(ledger, path, oracle), "hours"
        _written(ledger, path, oracle)
        rows = ledger.planned.head(piece if ends.limit is None else min(piece, ends.limit - relaxed))
        ledger, relaxed = _relaxed(ledger, rows, oracle, label), relaxed + len(rows)
        _written(ledger, path, oracle)


def is_closed(ledger: Ledger, until: float) -> bool:
    """Whether the last pass was screened, is finished, and found hardly anything near the hull."""
    if not ledger.passes or ledger.passes[-1]["kind"] != SCREENED or len(ledger.planned):
        return False
    return bool(ledger.passes[-1]["near"] < until * ledger.passes[-1]["planned"])


def _written(ledger: Ledger, path: Path, oracle: Oracle) -> Ledger:
    write_ledger(ledger, path, oracle)
    return ledger


def _relaxed(ledger: Ledger, rows: pl.DataFrame, oracle: Oracle, label: Labeller) -> Ledger:
    started, labels = relax(rows, label)
    after = ledger.with_labels(started, labels, oracle.name)
    distances = pl.Series("distance", ConvexHull.of(after.table).distances)
    new = after.table.with_columns(distances).join(rows, on=KEY, how="semi")
    return after.with_counts(len(rows), int((new["distance"] <= NEAR).sum()))


def relax(rows: pl.DataFrame, label: Labeller) -> tuple[pl.DataFrame, list[Label]]:
    """Relax planned decorations; those that more than double their volume start once more, from twice the volume.

    Returns:
        The rows with the start that was relaxed in the end, and the label of each.
    """
    labels = label(_starts(rows))
    exploded = pl.Series([one.status == "exploded" for one in labels], dtype=pl.Boolean)
    twice = pl.when(exploded).then(pl.col("start_scale") * SECOND_SCALE).otherwise(pl.col("start_scale"))
    started = rows.with_columns(twice.alias("start_scale"))
    again = started.filter(exploded)
    second = iter(label(_starts(again)) if len(again) else [])
    return started, [next(second) if one.status == "exploded" else one for one in labels]


def _starts(rows: pl.DataFrame) -> list[Crystal]:
    prototypes = all_prototypes()
    pairs = zip(decorations_of(rows), rows["start_scale"], strict=True)
    return [initial_crystal(prototypes[label], elements, scale) for (label, elements), scale in pairs]
