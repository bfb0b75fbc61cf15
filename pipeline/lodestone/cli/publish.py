"""`lodestone publish` and `lodestone champion`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lodestone.config.load import load_params


def add_to(commands: Any) -> None:
    """Add the commands to a parser's commands."""
    plain = (
        ("publish", _publish, "replay the finished campaign into MLflow"),
        ("champion", _champion, "show the registered ensemble with the least validation error"),
    )
    for name, run, text in plain:
        commands.add_parser(name, help=text).set_defaults(run=run)


def _publish(_: argparse.Namespace) -> None:
    from lodestone.tracking.address import public_uri
    from lodestone.tracking.store import publish

    receipt = publish(Path(), load_params())
    done = "written to" if receipt["created"] else "already in"
    print(f"{receipt['run']}: {done} {public_uri(Path())}")


def _champion(_: argparse.Namespace) -> None:
    from lodestone.tracking.registry import champion

    for key, value in champion(Path()).items():
        print(f"{key:<28} {value}")
