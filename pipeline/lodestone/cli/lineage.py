"""`lodestone lineage`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    lineage = commands.add_parser("lineage", help="show where a registered ensemble or a crystal comes from")
    lineage.add_argument(
        "of",
        nargs="?",
        default="champion",
        metavar="MODEL",
        help="version, alias or models:/NAME@ALIAS; or the material_id of a crystal of this campaign "
        "(default: %(default)s)",
    )
    lineage.add_argument("--json", action="store_true", help="print JSON, with the hash of every file")
    lineage.set_defaults(run=_lineage)


def _lineage(arguments: argparse.Namespace) -> None:
    from lodestone.lineage.text import crystal_text, model_text
    from lodestone.tracking.lineage import model_lineage, names_model

    if names_model(arguments.of):
        facts, as_text = model_lineage(Path(), arguments.of), model_text
    else:
        facts, as_text = _crystal(arguments.of), crystal_text
    print(json.dumps(facts, indent=2, ensure_ascii=False) if arguments.json else as_text(facts))


def _crystal(material_id: str) -> dict[str, Any]:
    from lodestone.config.load import load_params
    from lodestone.config.rounds import round_names
    from lodestone.lineage.crystal import crystal_lineage
    from lodestone.tables.layout import Layout

    rounds = load_params().rounds
    names = round_names(rounds)
    return crystal_lineage(Layout(), [*names, rounds[names[-1]].next], material_id)  # the last find is known after it
