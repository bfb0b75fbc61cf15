"""`lodestone bundle` and `lodestone fetch`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from lodestone.errors import LodestoneError


def add_to(commands: Any) -> None:
    """Add the commands to a parser's commands."""
    bundle = commands.add_parser("bundle", help="write the results of the campaign for other machines")
    bundle.add_argument("target", type=Path, metavar="PATH", help="a folder (a DVC remote) or a file *.tar")
    bundle.set_defaults(run=_bundle)
    fetch = commands.add_parser("fetch", help="restore the results that dvc.lock names")
    fetch.add_argument(
        "source", nargs="?", metavar="SOURCE", help="folder, *.tar, or http(s) address (default: $LODESTONE_REMOTE)"
    )
    fetch.set_defaults(run=_fetch)


def _bundle(arguments: argparse.Namespace) -> None:
    from lodestone.release.exchange import bundle

    bundle(arguments.target)
    print(f"written: {arguments.target}; elsewhere, `make fetch LODESTONE_REMOTE={arguments.target}` restores it")


def _fetch(arguments: argparse.Namespace) -> None:
    from lodestone.release.exchange import REMOTE_VARIABLE, fetch

    source = arguments.source or os.environ.get(REMOTE_VARIABLE)
    if not source:
        raise LodestoneError(
            "nothing says where the results are",
            f"set {REMOTE_VARIABLE} to what `lodestone bundle` has written: a folder, a tar, or its http(s) address",
        )
    outdated = fetch(source)
    if outdated:
        print(f"restored; not up to date with code and parameters, so `make discover` runs: {', '.join(outdated)}")
    else:
        print("restored: `make discover` has nothing to compute")
