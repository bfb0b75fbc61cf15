"""`lodestone candidates`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lodestone.cli.campaigns import add_params, enter_campaign
from lodestone.vasp.inputs import INPUT_SETS


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser("candidates", help="write the candidates of a round, to be computed elsewhere")
    parser.add_argument("--round", required=True, metavar="NAME", help="a round that has chosen, e.g. round_0")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="gets POSCAR, CIF and a table")
    parser.add_argument(
        "--inputs",
        choices=list(INPUT_SETS),
        help="write INCAR, KPOINTS and POTCAR, too, by this input set of pymatgen; POTCAR.spec where PMG_VASP_PSP_DIR "
        "does not say where pseudopotentials are",
    )
    parser.add_argument("--all", action="store_true", help="those that have a label, too")
    add_params(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from lodestone.cluster.campaign import opened_round
    from lodestone.cluster.export import write_candidates

    folder = arguments.out.absolute()  # before the command goes into the folder of the campaign
    enter_campaign(arguments.params)
    with opened_round(arguments.round) as opened:
        waiting = [candidate for candidate in opened.chosen if candidate.label is None]
        wanted = opened.chosen if arguments.all else waiting
        print(f"{arguments.round}: {len(opened.chosen)} candidates chosen, {len(waiting)} without a label.")
        if wanted:
            table = write_candidates(wanted, folder, arguments.inputs)
            what = f"input files by {arguments.inputs}" if arguments.inputs else "POSCAR"
            print(f"{len(wanted)} written to {arguments.out}: {what} in a folder for each, cifs/, and {table.name}.")
            print(f"When results are there: lodestone labels import {arguments.out}")
        else:
            print("Nothing to write: run `lodestone discover` to go on, or give --all.")
