"""`lodestone reference`."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from lodestone.cli.arguments import energy, hours, positive, share
from lodestone.errors import LodestoneError
from lodestone.tables.layout import REFERENCE_FILE

_PIECE = 100  # relaxations after which the files are written
_ENDS = {
    "closed": "its hull is closed",
    "exhausted": "nothing is left to try",
    "limit": "--limit is reached; call again to go on",
    "hours": "--hours are over; call again to go on",
}


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser("reference", help=f"build {REFERENCE_FILE}; goes on where it was interrupted")
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="only the first N decorations; with --close: N relaxations"
    )
    parser.add_argument("--store", type=Path, metavar="PATH", help="label store (default: $LODESTONE_LABELS)")
    parser.add_argument("--out", type=Path, default=REFERENCE_FILE, help="what to write (default: %(default)s)")
    _add_closing(parser.add_argument_group("let the set grow until its hull closes"))
    parser.set_defaults(run=_run)


def _add_closing(group: Any) -> None:
    group.add_argument(
        "--close",
        action="store_true",
        help="add to --out what networks trained on it put near its hull, pass after pass; it may go on on another "
        "machine, from this file and the one beside it (*.tried.parquet)",
    )
    group.add_argument("--hours", type=hours, metavar="H", help="end after so many hours")
    group.add_argument("--batch", type=positive, metavar="N", default=1000, help="relaxations of a pass (%(default)s)")
    group.add_argument("--margin", type=energy, metavar="E", default=0.1, help="eV/atom above the hull (%(default)s)")
    group.add_argument(
        "--screen", type=positive, metavar="N", default=100_000, help="predictions of a pass (%(default)s)"
    )
    group.add_argument("--sites", type=positive, metavar="N", default=28, help="largest cell (%(default)s)")
    group.add_argument(
        "--until", type=share, metavar="S", default=0.02, help="closed if a pass finds less near the hull (%(default)s)"
    )
    group.add_argument("--pairs", action="store_true", help="first every pair of elements in common stoichiometries")
    group.add_argument("--members", type=positive, metavar="N", default=2, help="networks of a view (%(default)s)")
    group.add_argument("--prototypes", nargs="+", metavar="LABEL", default=[], help="only these structure types")
    group.add_argument(
        "--networks",
        type=Path,
        metavar="FOLDER",
        help="a campaign whose networks judge, instead of new ones for each pass",
    )
    group.add_argument("--params", type=Path, default=Path("params.yaml"), help="its views are trained (%(default)s)")


def _run(arguments: argparse.Namespace) -> None:
    (_close if arguments.close else _build)(arguments)


def _build(arguments: argparse.Namespace) -> None:
    from lodestone.oracles.store import LabelStore, default_path
    from lodestone.reference.build import build, write_reference

    with LabelStore(arguments.store or default_path()) as store:
        result = build(store, arguments.limit)
    write_reference(result, arguments.out)
    lost = ", ".join(f"{count} {reason}" for reason, count in result.rejected.items()) or "none"
    print(f"{arguments.out}: {len(result.table)} crystals of {result.decorations} decorations; dropped: {lost}")


def _close(arguments: argparse.Namespace) -> None:
    from lodestone.oracles.pool import label_all
    from lodestone.oracles.store import LabelStore, default_path
    from lodestone.reference.build import ORACLE
    from lodestone.reference.closing import Ends, close
    from lodestone.runtime.executor import n_places

    with LabelStore(arguments.store or default_path()) as store:
        label = partial(label_all, ORACLE, store=store, title="relaxing with CHGNet")
        ends = Ends(until=arguments.until, limit=arguments.limit, hours=arguments.hours)
        piece = max(_PIECE, ORACLE.at_once * n_places())  # less would leave cores without work
        ledger, why = close(arguments.out, ORACLE, label, _planner(arguments), ends=ends, piece=piece)
    print(f"{arguments.out}: {len(ledger.table)} crystals of {len(ledger.elements)} elements; {_ENDS[why]}")


def _planner(arguments: argparse.Namespace) -> Any:
    from lodestone.config.load import load_params
    from lodestone.prediction.model import load
    from lodestone.reference.build import ORACLE
    from lodestone.reference.planning import Planner
    from lodestone.reference.selection import Limits

    params = load_params(arguments.params)
    views = {view: params.view(view).model_copy(update={"members": arguments.members}) for view in params.views}
    limits = Limits(batch=arguments.batch, margin=arguments.margin)
    return Planner(
        views=views,
        largest_cell=arguments.sites,
        screened=arguments.screen,
        limits=limits,
        pairs=arguments.pairs,
        prototypes=frozenset(_known_labels(arguments.prototypes)),
        ensemble=_on_scale(load(arguments.networks), ORACLE.name) if arguments.networks else None,
    )


def _known_labels(labels: list[str]) -> list[str]:
    from lodestone.reference.prototypes import all_prototypes

    unknown = sorted(set(labels) - all_prototypes().keys())
    if unknown:
        raise LodestoneError(
            f"--prototypes: there is no structure type {unknown[0]}",
            "labels are those of reference/families.yaml: AFLOW's, or of structures.yaml",
        )
    return labels


def _on_scale(model: Any, oracle: str) -> Any:
    from lodestone.prediction.scale import Scale

    if not model.scale.agrees_with(Scale(oracle)):
        raise LodestoneError(
            f"--networks: they predict energies of {model.scale}, and the set has labels of {oracle}",
            f"name a campaign that was verified by {oracle}",
        )
    return model.ensemble
