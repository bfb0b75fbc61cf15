"""`lodestone refresh`."""

from __future__ import annotations

import argparse
from typing import Any

from lodestone.cli.campaigns import add_params, enter_campaign
from lodestone.config.load import load_params


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser(
        "refresh",
        help="ask the source of the crystals for its version",
        description="Ask the source of the crystals for its version: of a database, of an OPTIMADE server, or the hash "
        "of a file. It is written to snapshot.version; if it is another one, the next run takes a new snapshot.",
    )
    add_params(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from lodestone.snapshot.version import refresh

    enter_campaign(arguments.params)
    refreshed = refresh(load_params().snapshot)
    if not refreshed.changed:
        print(f"{refreshed.source}: {refreshed.now}, as before")
        return
    print(f"{refreshed.source}: {refreshed.now}; it was {refreshed.before or 'not asked before'}")
    print("`lodestone discover` takes a new snapshot.")
