"""The command `lodestone`. Start-up is fast: each command imports its own heavy packages."""

from __future__ import annotations

import os
from collections.abc import Sequence

from lodestone import __version__
from lodestone.cli import (
    audit,
    candidates,
    check,
    discover,
    docs,
    drift,
    exchange,
    gate,
    handover,
    init,
    labels,
    lineage,
    novelty,
    opinions,
    phonons,
    predict,
    pretrain,
    publish,
    reference,
    refresh,
    replay,
    reproduce,
    retrain,
    screen,
    serve,
    tables,
    ui,
)
from lodestone.cli.arguments import Parser
from lodestone.runtime.working_tree import refuse_foreign_package
from lodestone.stage import TRACEBACK_VARIABLE, guarded

# Each module adds its parsers; this is their order in the help.
COMMANDS = (
    discover,
    refresh,
    retrain,
    predict,
    serve,
    screen,
    candidates,
    labels,
    check,
    init,
    publish,
    ui,
    lineage,
    reproduce,
    audit,
    opinions,
    phonons,
    novelty,
    handover,
    gate,
    exchange,
    drift,
    replay,
    tables,
    reference,
    pretrain,
    docs,
)


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of the command.

    Raises:
        SystemExit: With the exit code of the command.
    """
    arguments = _parser().parse_args(argv)
    if arguments.traceback:
        os.environ[TRACEBACK_VARIABLE] = "1"
    code = 0

    def run() -> None:
        nonlocal code
        refuse_foreign_package()
        code = arguments.run(arguments) or 0

    guarded(run)
    raise SystemExit(code)


def _parser() -> Parser:
    parser = Parser(prog="lodestone", description="Discover stable crystals by active learning.")
    parser.add_argument("--version", action="version", version=f"lodestone {__version__}")
    parser.add_argument("--traceback", action="store_true", help="show the Python traceback of faults")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_to(commands)
    return parser


if __name__ == "__main__":
    main()
