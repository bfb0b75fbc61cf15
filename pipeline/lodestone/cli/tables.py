"""`lodestone tables`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lodestone.config.load import PARAMS_FILE

if TYPE_CHECKING:
    import polars as pl


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser("tables", help="make the tables of crystals that docs/materials-project-data.md names")
    parser.add_argument(
        "--params",
        type=Path,
        default=PARAMS_FILE,
        metavar="FILE",
        help="parameters whose section snapshot says the source",
    )
    parser.add_argument("--matbench", type=Path, metavar="FILE", help="matbench_mp_e_form.json.gz instead of a source")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the two tables")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from functools import partial

    from lodestone.snapshot.public_tables import ENERGIES, STRUCTURES, public_tables
    from lodestone.tables.files import write_atomically

    for name, table in zip((STRUCTURES, ENERGIES), public_tables(_crystals(arguments)), strict=True):
        path = arguments.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, partial(_write, table))
        print(f"{path}: {len(table)} rows, {(table['energy_above_hull'] == 0).sum()} on the hull")


def _crystals(arguments: argparse.Namespace) -> pl.DataFrame:
    from lodestone.config.load import load_params
    from lodestone.snapshot.public_tables import read_matbench
    from lodestone.snapshot.take import take_snapshot

    if arguments.matbench:
        return read_matbench(arguments.matbench)
    params = load_params(arguments.params)
    crystals, unread, _ = take_snapshot(params.snapshot, params.seed)
    if len(unread):
        print(f"{len(unread)} rows could not be read, the first: {unread.row(0)}")
    return crystals


def _write(table: pl.DataFrame, target: Path) -> None:
    table.write_parquet(target, compression="zstd")
