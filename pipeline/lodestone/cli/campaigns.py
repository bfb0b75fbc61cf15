"""Which campaign a command is about: that of the working directory, or of a parameter file by `--params`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from lodestone.config.load import PARAMS_FILE
from lodestone.workspace.campaign import prepare_campaign, root_of, share_stores


def add_params(parser: argparse.ArgumentParser) -> None:
    """Add `--params` to a command."""
    parser.add_argument(
        "--params",
        type=Path,
        default=PARAMS_FILE,
        metavar="FILE",
        help="other parameters: campaigns/a.yaml is run in the folder campaigns/a (default: %(default)s)",
    )


def enter_campaign(params_file: Path) -> Path:
    """Go into the folder of a campaign that has parameters of its own; whatever follows happens there.

    All campaigns of a root share its stores, whether a command starts there or in the folder of the campaign.

    Returns:
        The folder.
    """
    root = root_of(Path())
    if params_file.resolve() != PARAMS_FILE.resolve():
        share_stores()
        folder = prepare_campaign(params_file)
        print(f"Campaign in {folder}", flush=True)
        os.chdir(folder)
    elif root is not None:
        share_stores(root)
    return Path().resolve()
