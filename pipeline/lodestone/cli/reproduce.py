"""`lodestone reproduce`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

DIFFERS = 1  # exit code


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser(
        "reproduce",
        help="run the campaign of a registered ensemble again, and compare the hashes",
        description="Check out the commit of a registered ensemble, run all stages of its campaign again, and name the "
        "first file whose hash is another than when it was published.",
        epilog=f"exit codes: 0 every hash is the same, {DIFFERS} some differ, or it could not be run",
    )
    parser.add_argument("model", metavar="MODEL", help="version, alias or models:/NAME@ALIAS")
    parser.add_argument("--folder", type=Path, metavar="FOLDER", help="for the git worktree (default: a temporary one)")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from lodestone.lineage.reproduce import reproduce
    from lodestone.tracking.evidence import package_versions
    from lodestone.tracking.lineage import model_lineage

    lineage = model_lineage(Path(), arguments.model)
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="lodestone-reproduce-"), "worktree")
    now = package_versions()
    for name, before in (lineage["packages"] or {}).items():
        if now.get(name) != before:
            print(f"note: {name} was {before}, and is {now.get(name, 'not installed')} here", file=sys.stderr)
    found = reproduce(lineage, Path(), folder)
    print(f"The worktree is {folder}; `git worktree remove --force {folder}` removes it.")
    if not found:
        print(f"The same: all files of {len(lineage['stages'])} stages have the hashes that were recorded.")
        return 0
    print(f"Not the same: {len(found)} files differ. The first: {found[0]}")
    return DIFFERS
