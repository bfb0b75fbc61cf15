"""Write what a replay has found: `replay.json`, the table, and a page with the plots."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from lodestone.replay.study import Outcome, Study
from lodestone.replay.summary import summarize, table
from lodestone.report.replay_page import render
from lodestone.tables.files import write_atomically, write_json


def write_results(study: Study, outcome: Outcome) -> Iterator[str]:
    """Write all files, and tell about them.

    Args:
        study: What was asked for.
        outcome: What came of it.

    Yields:
        Lines for the terminal.
    """
    asked = {
        "known": study.known.name,
        "pool": study.pool.name,
        "prevalence_asked": study.prevalence,
        "budget": study.limits.budget,
        "rounds": study.limits.rounds,
        "seeds": study.seeds,
        "seen": study.seen,
        "starts": min(study.starts, study.seeds),
    }
    summary = summarize(outcome.runs, asked | outcome.facts)
    lines = [statement(summary), "", *table(summary)]
    write_json(summary, study.out / "replay.json")
    for name, text in (("replay.md", "\n".join(lines) + "\n"), ("replay.html", render(summary))):
        write_atomically(study.out / name, partial(Path.write_text, data=text, encoding="utf-8"))
    yield from lines
    yield f"\nwritten: {study.out / 'replay.json'}, replay.md, replay.html"


def statement(summary: dict[str, Any]) -> str:
    """What was replayed, in a sentence."""
    return (
        f"{summary['budget']} of {summary['n_pool']:,} candidates verified in {summary['rounds']} rounds; "
        f"{summary['n_known']:,} crystals known; {summary['n_stable']} candidates stable ("
        f"{summary['prevalence']:.1%}), acceleration at most {summary['acceleration_ceiling']:.2f}; "
        f"means and 95 % intervals over seeds, n = {summary['seeds']}, "
        f"which start from {summary['starts']} trained ensemble{'s' * (summary['starts'] > 1)}"
    )
