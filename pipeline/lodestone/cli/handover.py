"""`lodestone handover`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser(
        "handover",
        help="write each discovery for a laboratory, and all of them as an OPTIMADE database",
        description="For each discovery of a finished campaign a folder with CIF, POSCAR, powder pattern, competing "
        "phases, reactions from common precursors, hazards, and what its judges say; and all of them as JSON lines "
        "that an OPTIMADE server serves.",
    )
    parser.add_argument(
        "--campaign", type=Path, default=Path(), metavar="DIR", help="folder of the campaign (default: this one)"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="a new folder, or a hand-over to replace"
    )
    parser.add_argument("--only", nargs="+", metavar="ID", help="these discoveries only: identifiers or formulas")
    parser.add_argument(
        "--look-up",
        nargs="*",
        metavar="SERVER",
        help="say which databases know each find, by OPTIMADE: names or addresses of servers (default: "
        "materials_project, oqmd, alexandria, cod); what they answer is kept, and servers that are down are named",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from lodestone.handover.campaign import read_finished
    from lodestone.handover.databases import Database, servers
    from lodestone.handover.elsewhere import as_text, look_up
    from lodestone.handover.write import write_handover

    databases = None if arguments.look_up is None else [Database(server) for server in servers(arguments.look_up)]
    campaign = read_finished(arguments.campaign)
    campaign = campaign.only(arguments.only) if arguments.only else campaign
    if databases is not None:
        campaign = replace(campaign, elsewhere=look_up(campaign.discoveries, databases))
    n = write_handover(campaign, arguments.out)
    if campaign.elsewhere is not None:
        print(as_text(campaign.elsewhere))
    print(f"written: {n} finds; open {arguments.out / 'index.html'}")
