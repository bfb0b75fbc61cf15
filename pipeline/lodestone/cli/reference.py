"""`lodestone reference`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lodestone.cli.arguments import positive
from lodestone.tables.layout import REFERENCE_FILE


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser("reference", help=f"build {REFERENCE_FILE}; goes on where it was interrupted")
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N decorations, to try it out")
    parser.add_argument("--store", type=Path, metavar="PATH", help="label store (default: $LODESTONE_LABELS)")
    parser.add_argument("--out", type=Path, default=REFERENCE_FILE, help="what to write (default: %(default)s)")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from lodestone.oracles.store import LabelStore, default_path
    from lodestone.reference.build import build, write_reference

    with LabelStore(arguments.store or default_path()) as store:
        result = build(store, arguments.limit)
    write_reference(result, arguments.out)
    lost = ", ".join(f"{count} {reason}" for reason, count in result.rejected.items()) or "none"
    print(f"{arguments.out}: {len(result.table)} crystals of {result.decorations} decorations; dropped: {lost}")
