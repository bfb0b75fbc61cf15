"""`lodestone check`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lodestone.config.load import PARAMS_FILE, load_params
from lodestone.config.params import Params


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser("check", help="check the parameters and stop")
    parser.add_argument("--params", type=Path, default=PARAMS_FILE, help="parameter file (default: %(default)s)")
    parser.set_defaults(run=_run)


def refuse_absent_judges(params: Params) -> None:
    """See to it that all can be asked whom the last stages ask.

    Raises:
        LodestoneError: If an oracle of second opinions is unknown or not installed, or phonons cannot be computed.
    """
    from lodestone.opinions.judges import judges_of
    from lodestone.phonons.stage import refuse_if_impossible

    judges_of(params)
    refuse_if_impossible(params)


def _run(arguments: argparse.Namespace) -> None:
    params = load_params(arguments.params)
    refuse_absent_judges(params)
    print(f"{arguments.params} is valid: {len(params.rounds)} rounds on the {params.snapshot.source} snapshot.")
