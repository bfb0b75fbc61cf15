"""`lodestone audit`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lodestone.cli.arguments import energy
from lodestone.config.load import PARAMS_FILE, load_params
from lodestone.tables.layout import REPORTS


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser(
        "audit",
        help="hold the discoveries against the phases of another table",
        description="Complete the hull of the discoveries' chemical systems by the phases of a table, labelled by the "
        "campaign's oracle; say which discoveries survive, which are known, and because of what the others fall.",
    )
    parser.add_argument(
        "--against", type=Path, required=True, metavar="TABLE", help="structures, as for `snapshot.source: file`"
    )
    parser.add_argument(
        "--max-energy-above-hull",
        type=energy,
        metavar="EV",
        help="leave out phases further above the table's own hull, where it states that (0.1 eV/atom)",
    )
    parser.add_argument(
        "--relax", action="store_true", help="relax the phases, too; else they are labelled as they are (faster)"
    )
    parser.add_argument(
        "--out", type=Path, default=REPORTS, metavar="FOLDER", help="where audit.json goes (default: %(default)s)"
    )
    parser.add_argument("--params", type=Path, default=PARAMS_FILE, help="parameter file (default: %(default)s)")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from functools import partial

    from lodestone.audit.campaign import read_campaign
    from lodestone.audit.rivals import read_rivals
    from lodestone.audit.text import text
    from lodestone.audit.verdicts import HIGHEST, audit
    from lodestone.oracles.pool import label_all
    from lodestone.oracles.registry import make_oracle
    from lodestone.oracles.store import LabelStore, default_path
    from lodestone.tables.files import write_json

    params = load_params(arguments.params)
    oracle = make_oracle(params.oracle)
    oracle = oracle if arguments.relax else oracle.static()
    campaign = read_campaign(params)
    rivals = read_rivals(arguments.against, campaign)
    highest = HIGHEST if arguments.max_energy_above_hull is None else arguments.max_energy_above_hull
    with LabelStore(default_path()) as store:
        label = partial(label_all, oracle, store=store, title=f"labelling the phases of {arguments.against.name}")
        content = audit(campaign, rivals, label, highest) | {"oracle": oracle.facts()}
    print(text(content))
    write_json(content, arguments.out / "audit.json")
    print(f"\nwritten: {arguments.out / 'audit.json'}")
