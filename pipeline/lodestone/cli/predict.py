"""`lodestone predict`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from lodestone.cli.arguments import positive
from lodestone.errors import LodestoneError

SOME_UNREAD = 3  # exit code
_ENDINGS = (".parquet", ".csv", ".jsonl")


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser(
        "predict",
        help="how stable are these crystals?",
        description="Predict formation energy, distance to the hull and P(stable) of crystals, with 90 %% intervals; "
        "say what they would decompose into, whether they are known, and why a prediction may not be trusted.",
        epilog=f"exit codes: 0 all is predicted, {SOME_UNREAD} some input could not be, 1 nothing could be",
    )
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="FILE",
        help="CIF, POSCAR, extended XYZ; a folder or zip of them; a parquet or JSON-lines table; a formula; - is stdin",
    )
    add_model_and_hull(parser)
    _add_options(parser)
    parser.set_defaults(run=_run)


def add_model_and_hull(parser: argparse.ArgumentParser) -> None:
    """Add which model predicts, and against which hull."""
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="folder of a campaign, a round, or `lodestone pretrain`; or models:/NAME@ALIAS (default: the ensemble "
        "that ships with lodestone, which has learned PBE energies of the Materials Project)",
    )
    parser.add_argument(
        "--hull",
        metavar="HULL",
        help="snapshot (a campaign's own phases, its default), a file of phases with formation energies, "
        "materials_project (key in MP_API_KEY), or optimade (no key)",
    )
    parser.add_argument(
        "--hull-scale", metavar="METHOD/SCHEME", help="what the energies of the file are, e.g. dft-pbe/MP-2019-legacy"
    )
    parser.add_argument(
        "--across-scales", action="store_true", help="measure against a hull of other energies than the model predicts"
    )


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--unrelaxed", action="store_true", help="the structures are unrelaxed; predict what they relax to"
    )
    parser.add_argument("--relax", action="store_true", help="relax them with the oracle first")
    parser.add_argument("--max-sites", type=positive, metavar="N", help="refuse larger cells (default: 2000)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--out", type=Path, metavar="TABLE", help=f"write a table, too: {', '.join(_ENDINGS)}")


def _run(arguments: argparse.Namespace) -> int:
    out = arguments.out
    if out is not None and out.suffix not in _ENDINGS:
        raise LodestoneError(f"--out {out} has an unknown ending", f"end it in one of {', '.join(_ENDINGS)}")
    from lodestone.prediction.answers import answer
    from lodestone.prediction.files import read_queries
    from lodestone.prediction.inputs import MOST_SITES
    from lodestone.prediction.model import load
    from lodestone.prediction.text import as_json, as_text

    model = load(arguments.model)
    queries = read_queries(arguments.inputs, sys.stdin.buffer.read, arguments.max_sites or MOST_SITES)
    answers = answer(
        model,
        queries,
        arguments.hull,
        hull_scale=arguments.hull_scale,
        across_scales=arguments.across_scales,
        input_structure="unrelaxed" if arguments.unrelaxed else "relaxed",
        relax=arguments.relax,
    )
    if out is not None:
        _write(answers.table, out)
    print(as_json(answers) if arguments.json else as_text(answers))
    return (SOME_UNREAD if answers.table.height else 1) if answers.unread else 0


def _write(table: Any, path: Path) -> None:
    from lodestone.tables.files import write_atomically, write_table

    if path.suffix == ".parquet":
        write_table(table, path)
    else:
        write_atomically(path, table.write_csv if path.suffix == ".csv" else table.write_ndjson)
