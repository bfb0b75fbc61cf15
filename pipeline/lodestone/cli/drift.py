"""`lodestone drift`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lodestone.cli.arguments import energy


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser("drift", help="what changed between two snapshots")
    parser.add_argument("old", type=Path, metavar="OLD", help="data/snapshot/crystals.parquet of the older version")
    parser.add_argument("new", type=Path, metavar="NEW", help="the same of the newer version")
    parser.add_argument("--html", type=Path, metavar="PATH", help="also write a page with figures and tables")
    parser.add_argument("--table", type=Path, metavar="PATH", help="also write every changed crystal as parquet")
    parser.add_argument(
        "--tolerance", type=energy, metavar="EV", help="changes up to this do not count (0.001 eV/atom)"
    )
    parser.add_argument("--across-labels", action="store_true", help="compare even energies of different kinds")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from lodestone.curation.drift import TOLERANCE, compare
    from lodestone.report.drift_page import render
    from lodestone.report.drift_text import drift_summary
    from lodestone.schemas import Drift, Snapshot
    from lodestone.tables.files import read_table, write_atomically, write_table

    sides = [read_table(path, Snapshot) for path in (arguments.old, arguments.new)]
    tolerance = TOLERANCE if arguments.tolerance is None else arguments.tolerance
    drift = compare(sides[0], sides[1], tolerance, arguments.across_labels)
    print(drift_summary(drift, str(arguments.old), str(arguments.new)))
    if arguments.table:
        write_table(drift.crystals, arguments.table, Drift)
    if arguments.html:
        page = render(drift, str(arguments.old), str(arguments.new))
        write_atomically(arguments.html, lambda target: target.write_text(page, encoding="utf-8"))
    for path in filter(None, (arguments.table, arguments.html)):
        print(f"written: {path}")
