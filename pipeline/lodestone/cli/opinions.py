"""`lodestone opinions`."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from lodestone.cli.arguments import energy
from lodestone.tables.layout import REPORTS


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser(
        "opinions",
        help="ask further oracles whether the discoveries are stable",
        description="Judge each discovery of a finished campaign by further oracles. Each labels it and the phases "
        "that compete with it, as the campaign's oracle has relaxed them, and judges it on a hull of its own energies.",
    )
    parser.add_argument(
        "--oracles",
        nargs="+",
        metavar="NAME|FILE",
        help="names of oracles, or YAML files with a section `oracle` (default: sevennet chgnet-r2scan "
        "sevennet-mf-0-r2scan diep, without the campaign's own)",
    )
    parser.add_argument(
        "--near",
        type=energy,
        metavar="EV",
        help="leave out phases further above the campaign's own hull (0.05 eV/atom)",
    )
    parser.add_argument(
        "--few",
        action="store_true",
        help="hold a find only against what it decomposes into on the campaign's own hull, and its elements: for DFT",
    )
    parser.add_argument("--finds", nargs="+", metavar="ID", help="these discoveries only: identifiers or formulas")
    parser.add_argument(
        "--out",
        type=Path,
        default=REPORTS / "opinions.json",
        metavar="FILE",
        help="the file to write (default: %(default)s)",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from lodestone.handover.campaign import read_finished
    from lodestone.opinions.contests import NEAR
    from lodestone.opinions.judges import Judge, chosen
    from lodestone.opinions.opinions import opinions
    from lodestone.opinions.text import text
    from lodestone.oracles.store import LabelStore, default_path
    from lodestone.tables.files import write_json

    campaign = read_finished(judged=False)
    if arguments.finds:
        campaign = campaign.only(arguments.finds)
    judges = chosen(arguments.oracles, campaign.method)
    near = NEAR if arguments.near is None else arguments.near
    with LabelStore(default_path()) as store:
        content = opinions(campaign, judges, partial(Judge.label, store=store), near, few=arguments.few)
    print(text(content))
    write_json(content, arguments.out)
    print(f"\nwritten: {arguments.out}")
