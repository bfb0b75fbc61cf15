"""`lodestone retrain`."""

from __future__ import annotations

import argparse
import os
import signal
from pathlib import Path
from typing import Any

from lodestone.config.load import load_params
from lodestone.runtime.processes import die_with_parent


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser(
        "retrain",
        help="take what is new, run the campaign, and put the result forward as a pull request",
        description="Restore earlier results from the DVC remote, ask the source for its version, run the campaign, "
        "judge its ensemble, keep the results in the DVC remote, and push a branch with the new dvc.lock, for which gh "
        "opens a pull request. If nothing is new, nothing runs.",
        epilog="exit codes: 0 done, promoted or not; 75 it waits, or another retraining runs here; else a step failed",
    )
    parser.add_argument("--wait", action="store_true", help="wait for another retraining in this folder to end")
    parser.add_argument(
        "--no-request", action="store_true", help="write reports/retraining.md, but push no branch and ask nobody"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from lodestone.retraining.retrain import retrain

    if "MAKELEVEL" in os.environ:  # started by make: end when make is killed
        die_with_parent(signal.SIGTERM)
    return retrain(load_params(), Path(), wait=arguments.wait, request=not arguments.no_request)
