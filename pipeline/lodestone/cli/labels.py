"""`lodestone labels`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lodestone.cli.campaigns import add_params, enter_campaign

if TYPE_CHECKING:
    from lodestone.cluster.imports import Import
    from lodestone.cluster.results import Result

_SHOWN = 20  # refused results


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser("labels", help="bring in results that were computed elsewhere")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    taking = actions.add_parser("import", help="take results of candidates; as many as there are")
    taking.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="vasprun.xml, folder or zip of runs, JSON of ComputedStructureEntry, or CSV of energies",
    )
    taking.add_argument("--replace", action="store_true", help="replace labels that say something else")
    add_params(taking)
    taking.set_defaults(run=_import)
    closing = actions.add_parser("close", help="wait no longer: candidates without a label are not computed")
    closing.add_argument("--round", required=True, metavar="NAME", help="the round that waits")
    add_params(closing)
    closing.set_defaults(run=_close)


def _import(arguments: argparse.Namespace) -> int:
    from lodestone.cluster.campaign import opened_rounds
    from lodestone.cluster.imports import match, store_labels
    from lodestone.cluster.results import read_results

    files = [path.absolute() for path in arguments.files]  # before it goes into the folder of the campaign
    enter_campaign(arguments.params)
    with opened_rounds() as opened:
        results = [result for path in files for result in read_results(path, opened.kind)]
        matched = match(results, opened.chosen, opened.bounds, replace_labels=arguments.replace)
        over = store_labels(matched.labels, opened.chosen, opened.oracle, opened.store)
        n_waiting = sum(one.label is None and one.material_id not in matched.labels for one in opened.chosen)
    _report(matched, n_waiting, over)
    return 0 if matched.labels or not matched.refused else 1


def _report(matched: Import, n_waiting: int, over: Sequence[str]) -> None:
    same = f", {len(matched.known)} known already" if matched.known else ""
    print(f"{len(matched.labels)} labels imported{same}; {n_waiting} candidates still wait.")
    if matched.unrelaxed:
        print(f"{len(matched.unrelaxed)} came without a crystal: the unrelaxed one of the candidate stands for it.")
    for name in over:
        print(f"{name} has gone on without them: lodestone discover --force active_learning@{name}")
    _report_refused(matched.refused)
    if not n_waiting:
        print("Now: lodestone discover")


def _report_refused(refused: Sequence[Result]) -> None:
    if refused:
        print(f"{len(refused)} results were not taken:", file=sys.stderr)
    for result in refused[:_SHOWN]:
        print(f"  {result.name} ({result.origin}): {result.fault}", file=sys.stderr)
    if len(refused) > _SHOWN:
        print(f"  … and {len(refused) - _SHOWN} more", file=sys.stderr)


def _close(arguments: argparse.Namespace) -> None:
    from lodestone.cluster.campaign import opened_round
    from lodestone.cluster.imports import close

    enter_campaign(arguments.params)
    with opened_round(arguments.round) as opened:
        _ = opened.kind  # which an oracle that computes has not
        closed = close(opened.chosen, opened.oracle, opened.store)
    print(f"{arguments.round}: {len(closed)} candidates without a label count as not computed. Now: lodestone discover")
