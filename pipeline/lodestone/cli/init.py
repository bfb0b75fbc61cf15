"""`lodestone init`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser("init", help="make a folder in which the installed package runs campaigns")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="is created, if it is not there")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from lodestone.workspace.init import init_folder

    written = init_folder(arguments.folder)
    print(f"{arguments.folder}: {len(written)} files, among them params.yaml, which says what the campaign is.")
    print(f"Now: cd {arguments.folder}, change params.yaml if you like, then `lodestone discover`.")
