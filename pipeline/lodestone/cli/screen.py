"""`lodestone screen`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lodestone.cli.arguments import energy, positive, share
from lodestone.config.load import PARAMS_FILE


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser(
        "screen",
        help="screen as many candidates as there are by the networks of a finished campaign",
        description="Predict all children of the crystals that a finished campaign knows, by substitution, in bounded "
        "memory, on all cores or a cluster, and keep those that are likeliest to be stable. Run again, it goes on.",
    )
    parser.add_argument("--campaign", type=Path, default=Path(), metavar="DIR", help="its folder (default: here)")
    parser.add_argument("--params", type=Path, default=PARAMS_FILE, help="its parameter file (default: %(default)s)")
    parser.add_argument("--count", type=positive, metavar="N", help="stop after so many candidates (default: all)")
    parser.add_argument(
        "--keep", type=positive, default=10_000, metavar="N", help="candidates that are kept (default: %(default)s)"
    )
    parser.add_argument(
        "--least", type=share, default=0.001, metavar="P", help="smallest probability of a substitution (0.001)"
    )
    parser.add_argument(
        "--parents",
        type=energy,
        default=0.1,
        metavar="EV",
        help="crystals further from the hull have no children (0.1 eV/atom)",
    )
    parser.add_argument("--seed", type=int, default=0, help="order of the families, and the sample (default: 0)")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the results go")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from lodestone.runtime.executor import prepare_executor
    from lodestone.screening.run import run_search
    from lodestone.screening.search import Search
    from lodestone.screening.text import text

    prepare_executor()
    names = ("campaign", "params", "keep", "least", "parents", "count", "seed")
    search = Search(**{name: getattr(arguments, name) for name in names})
    print(text(run_search(search, arguments.out)))
    print(f"\nwritten: {arguments.out / 'candidates.parquet'}")
