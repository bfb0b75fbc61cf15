"""`lodestone phonons`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lodestone.cli.arguments import frequency, length, positive
from lodestone.tables.layout import REPORTS


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser(
        "phonons",
        help="say whether the discoveries are dynamically stable",
        description="Compute the phonons of each discovery of a finished campaign by the forces of its oracle, and "
        "follow an imaginary mode once to the crystal that it leads to. Smallest cells first; what is interrupted goes "
        "on where it stopped.",
    )
    parser.add_argument("--finds", nargs="+", metavar="ID", help="these discoveries only: identifiers or formulas")
    parser.add_argument("--most", type=positive, metavar="N", help="at most N discoveries, those of the smallest cells")
    parser.add_argument(
        "--min-length", type=length, metavar="Å", help="images of an atom are so far apart in the supercell (8 Å)"
    )
    parser.add_argument("--max-atoms", type=positive, metavar="N", help="atoms of the largest supercell (120)")
    parser.add_argument(
        "--tolerance", type=frequency, metavar="THZ", help="imaginary frequencies up to this are none (0.3 THz)"
    )
    parser.add_argument(
        "--oracle", metavar="NAME|FILE", help="another potential, by name or YAML file with a section `oracle`"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=REPORTS / "phonons.json",
        metavar="FILE",
        help="the file to write (default: %(default)s)",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from lodestone.config.load import PARAMS_FILE, load_params
    from lodestone.handover.campaign import read_finished
    from lodestone.opinions.judges import settings_of
    from lodestone.phonons.phonons import phonons, potential_of
    from lodestone.phonons.settings import PhononSettings
    from lodestone.phonons.store import VerdictStore, default_folder
    from lodestone.phonons.text import text
    from lodestone.tables.files import write_json

    campaign = read_finished(judged=False)
    if arguments.finds:
        campaign = campaign.only(arguments.finds)
    settings = settings_of(arguments.oracle) if arguments.oracle else load_params(PARAMS_FILE).oracle
    names = ("min_length", "max_atoms", "tolerance")
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    store = VerdictStore(default_folder())
    content = phonons(campaign, potential_of(settings), PhononSettings(**given), store, arguments.most)
    print(text(content))
    write_json(content, arguments.out)
    print(f"\nwritten: {arguments.out}")
