"""`lodestone gate`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lodestone.tables.layout import METRICS


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    gate = commands.add_parser("gate", help="hold the figures of the finished campaign against their bounds")
    gate.add_argument("--bounds", type=Path, metavar="FILE", help="bounds by figure (default: docs/accuracy.json)")
    gate.add_argument("--metrics", type=Path, default=METRICS, metavar="FOLDER", help="metrics (default: %(default)s)")
    gate.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from lodestone.release.gate import BOUNDS_FILE, figures, judge, read_bounds

    verdicts = judge(figures(arguments.metrics), read_bounds(arguments.bounds or BOUNDS_FILE))
    for verdict in verdicts:
        print(verdict)
    return 0 if all(verdict.holds for verdict in verdicts) else 1
