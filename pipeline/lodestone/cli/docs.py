"""`lodestone docs`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lodestone.errors import LodestoneError


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    commands.add_parser("docs", help="write DATASET.md and docs/parameters.md from the code").set_defaults(run=_run)


def _run(_: argparse.Namespace) -> None:
    if not Path("pipeline", "lodestone").is_dir():
        problem = f"{Path().resolve()} is no checkout of Lodestone, whose code these documents describe"
        raise LodestoneError(problem, "run from the root of the repository")
    from lodestone.documentation.documents import write_docs

    for path in write_docs(Path()):
        print(path)
