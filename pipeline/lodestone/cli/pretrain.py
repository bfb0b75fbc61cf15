"""`lodestone pretrain`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser(
        "pretrain",
        help="train an ensemble on a large table of crystals, with a model card",
        description="Train, combine and calibrate networks on a table of crystals with formation energies, and "
        "write the card that says how far off they are on chemical systems that none of them has seen. Run again "
        "after a kill, it goes on from its checkpoints.",
    )
    parser.add_argument("table", type=Path, metavar="TABLE", help="structures, as for `snapshot.source: file`")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder of the result")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="another file than the package's settings.yaml")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from lodestone.pretraining.card import write_card
    from lodestone.pretraining.pretrain import pretrain
    from lodestone.pretraining.settings import DEFAULT_SETTINGS, load_settings

    settings = load_settings(arguments.settings or DEFAULT_SETTINGS)
    made = pretrain(arguments.table, settings, arguments.out)
    print(write_card(made, settings).read_text(encoding="utf-8"))
