"""What a retraining has brought: the campaign before it and after it, side by side."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lodestone.config.params import Params
from lodestone.curation.drift import compare
from lodestone.errors import LodestoneError
from lodestone.release.gate import BOUNDS_FILE, Verdict, figures, judge, read_bounds
from lodestone.report.drift_page import render
from lodestone.report.drift_text import drift_summary
from lodestone.retraining.commands import text_at
from lodestone.retraining.storage import outputs_of
from lodestone.schemas import Snapshot
from lodestone.snapshot.version import Refreshed
from lodestone.tables.files import read_json, read_table, write_atomically
from lodestone.tables.layout import METRICS, REPORTS, Layout
from lodestone.tracking.client import StoreError
from lodestone.tracking.lock import LOCK_FILE, stages_of
from lodestone.tracking.store import publish

SUMMARY, ROUNDS = METRICS / "summary.json", METRICS / "rounds.csv"
DRIFT_PAGE = REPORTS / "drift.html"


@dataclass(frozen=True)
class Side:
    """The figures of a campaign; empty where there are none.

    Attributes:
        summary: Content of `metrics/summary.json`.
        rounds: Rows of `metrics/rounds.csv`.
    """

    summary: Mapping[str, Any]
    rounds: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Findings:
    """All that a request says.

    Attributes:
        commit: That the retraining started from.
        refreshed: What the source says of its version.
        stages: Whose inputs or outputs are others than before.
        before: Figures of the commit.
        after: Figures now.
        drift: What changed in the snapshot, or why it cannot be said.
        decision: Record of the decision about the champion; ``None`` if it could not be made.
        deferred: Why it could not be made; empty if it could.
        accuracy: Figures against their bounds; empty where no bounds are kept.
    """

    commit: str
    refreshed: Refreshed
    stages: tuple[str, ...]
    before: Side
    after: Side
    drift: str
    decision: Mapping[str, Any] | None
    deferred: str
    accuracy: tuple[Verdict, ...]


def findings(commit: str, refreshed: Refreshed, params: Params, folder: Path) -> Findings:
    """Compare a finished campaign with that of a commit, and have its ensemble judged, if nobody has yet.

    Raises:
        LodestoneError: If the campaign is not finished.
    """
    with tempfile.TemporaryDirectory() as temporary:
        old = Path(temporary)
        outputs_of(commit, (Layout().snapshot, SUMMARY, ROUNDS), folder, old)
        (old / LOCK_FILE).write_text(text_at(commit, Path(LOCK_FILE), folder) or "stages: {}")
        stages = (stages_of(old / LOCK_FILE), stages_of(folder / LOCK_FILE))
        decision, deferred = _judged(params, folder)
        return Findings(
            commit=commit,
            refreshed=refreshed,
            stages=tuple(name for name, stage in stages[1].items() if stages[0].get(name) != stage),
            before=_side(old),
            after=_side(folder),
            drift=_drift(old / Layout().snapshot, folder / Layout().snapshot, folder / DRIFT_PAGE),
            decision=decision,
            deferred=deferred,
            accuracy=_accuracy(folder),
        )


def _judged(params: Params, folder: Path) -> tuple[Mapping[str, Any] | None, str]:
    """The decision about the champion; the stage `publish` may have been taken from the cache of another store."""
    try:
        return publish(folder, params)["decision"], ""
    except StoreError as error:
        return None, error.problem


def _side(folder: Path) -> Side:
    summary = read_json(folder / SUMMARY) if (folder / SUMMARY).is_file() else {}
    rounds = pl.read_csv(folder / ROUNDS).to_dicts() if (folder / ROUNDS).is_file() else []
    return Side(summary=summary, rounds=tuple(rounds))


def _drift(old: Path, new: Path, page: Path) -> str:
    if not old.is_file():
        return "There is no earlier snapshot to compare with."
    try:
        drift = compare(read_table(old, Snapshot), read_table(new, Snapshot))
    except LodestoneError as error:  # energies of another kind
        return f"The snapshots cannot be compared: {error.problem}"
    write_atomically(page, lambda path: path.write_text(render(drift, "before", "now"), encoding="utf-8"))
    return drift_summary(drift, "before", "now")


def _accuracy(folder: Path) -> tuple[Verdict, ...]:
    bounds = folder / BOUNDS_FILE
    return tuple(judge(figures(folder / METRICS), read_bounds(bounds))) if bounds.is_file() else ()
