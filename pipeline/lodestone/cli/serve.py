"""`lodestone serve`."""

from __future__ import annotations

import argparse
import os
from typing import Any

from lodestone.cli.arguments import port, positive
from lodestone.cli.predict import add_model_and_hull


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser(
        "serve",
        help="answer questions about crystals over HTTP",
        description="Answer `POST /predict` as `lodestone predict --json` does, to this machine only unless told. The "
        "password that requests must carry is read from LODESTONE_SERVE_PASSWORD.",
    )
    add_model_and_hull(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=port, default=8000, help="(default: %(default)s)")
    parser.add_argument(
        "--allowed-hosts", default="", metavar="NAME,NAME", help="names that the server is called by, besides localhost"
    )
    parser.add_argument(
        "--max-megabytes", type=positive, default=16, metavar="N", help="refuse larger requests (default: %(default)s)"
    )
    parser.add_argument(
        "--max-crystals", type=positive, default=1000, metavar="N", help="refuse more at once (default: %(default)s)"
    )
    parser.add_argument(
        "--max-sites", type=positive, default=2000, metavar="N", help="refuse larger cells (default: %(default)s)"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from lodestone.prediction.model import load
    from lodestone.serving.questions import Limits
    from lodestone.serving.server import PASSWORD_VARIABLE, access_of, run

    access = access_of(arguments.host, arguments.allowed_hosts, os.environ.get(PASSWORD_VARIABLE, ""))
    limits = Limits(arguments.max_megabytes, arguments.max_crystals, arguments.max_sites)
    model = load(arguments.model)
    phases = model.every_phase(arguments.hull, arguments.hull_scale, across_scales=arguments.across_scales)
    run(model, phases, access, limits, host=arguments.host, port=arguments.port)
