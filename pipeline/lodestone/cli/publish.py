"""`lodestone publish`, `champion`, `decisions`, `promote` and `rollback`: the registry of models."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from lodestone.config.load import load_params


def add_to(commands: Any) -> None:
    """Add the commands to a parser's commands."""
    publish = commands.add_parser("publish", help="replay the finished campaign into MLflow, and judge its ensemble")
    publish.set_defaults(run=_publish)
    champion = commands.add_parser("champion", help="show the champion among the registered ensembles")
    champion.set_defaults(run=_champion)
    decisions = commands.add_parser("decisions", help="show who became the champion or did not, and why")
    decisions.add_argument("--json", action="store_true", help="the whole records, the newest first")
    decisions.set_defaults(run=_decisions)
    promote = commands.add_parser("promote", help="make a registered version the champion by hand")
    promote.add_argument("version", type=int, metavar="VERSION", help="its number in the registry")
    promote.set_defaults(run=_promote)
    rollback = commands.add_parser("rollback", help="make the previous champion the champion again")
    rollback.set_defaults(run=_rollback)
    for parser in (promote, rollback):
        parser.add_argument("--reason", default="no reason given", metavar="TEXT", help="kept with the decision")


def _publish(_: argparse.Namespace) -> None:
    from lodestone.tracking.address import public_uri
    from lodestone.tracking.promotions import describe
    from lodestone.tracking.store import publish

    receipt = publish(Path(), load_params())
    done = "written to" if receipt["created"] else "already in"
    print(f"{receipt['run']}: {done} {public_uri(Path())}")
    print(describe(receipt["decision"]))


def _champion(_: argparse.Namespace) -> None:
    from lodestone.tracking.registry import champion

    for key, value in champion(Path()).items():
        print(f"{key:<28} {value}")


def _decisions(arguments: argparse.Namespace) -> None:
    from lodestone.tracking.promotions import decisions, describe

    every = decisions(Path())
    if arguments.json:
        print(json.dumps(every, indent=2, ensure_ascii=False))
        return
    for decision in every:
        print(f"{decision['time']}  {describe(decision)}")


def _promote(arguments: argparse.Namespace) -> None:
    from lodestone.tracking.promotions import describe, promote

    print(describe(promote(Path(), arguments.version, arguments.reason)))


def _rollback(arguments: argparse.Namespace) -> None:
    from lodestone.tracking.promotions import describe, rollback

    print(describe(rollback(Path(), arguments.reason)))
