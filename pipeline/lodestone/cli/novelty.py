"""`lodestone novelty`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lodestone.tables.layout import REPORTS, Layout


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser(
        "novelty",
        help="say what is new about crystals against tables of known ones",
        description="Say of each crystal whether its composition or prototype is new, whether it is a polymorph of a "
        "known one or known after all, and whether similar elements likely share its sites. By default, of the "
        "discoveries of the campaign in this folder against what was known when it began.",
    )
    parser.add_argument(
        "finds",
        type=Path,
        nargs="?",
        default=REPORTS / "discoveries.parquet",
        metavar="FINDS",
        help="structures in any form that `lodestone predict` reads (default: %(default)s)",
    )
    parser.add_argument(
        "--against",
        type=Path,
        action="append",
        metavar="TABLE",
        help="known structures or formulas, likewise; may be given several times "
        f"(default: {Layout().round('round_0').crystals})",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write all answers there, as parquet")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from lodestone.novelty.files import judged
    from lodestone.novelty.text import text
    from lodestone.tables.files import write_atomically

    found = judged(arguments.finds, arguments.against or [Layout().round("round_0").crystals])
    print(text(found))
    if arguments.out:
        write_atomically(arguments.out, found.answers.write_parquet)
        print(f"\nwritten: {arguments.out}")
