"""The command `lodestone`. Start-up stays light: what is heavy is imported by the command that needs it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from lodestone import __version__
<<<<<<< HEAD
from lodestone.cli import exchange, gate
from lodestone.config.load import PARAMS_FILE, load_params
from lodestone.errors import LodestoneError
from lodestone.runtime.processes import (
    DAMAGED_LOCK_FILE,
    RUN_VARIABLE,
    die_with_parent,
    release_locks_of_the_dead,
    set_aside_half_written,
)
=======
from lodestone.cli import check, discover, docs, drift, publish, reference, ui
from lodestone.cli.arguments import Parser
from lodestone.runtime.working_tree import refuse_foreign_package
>>>>>>> 24d56ef (The command in modules by command; another folder's code is refused; stores of moved folders are brought home; MLflow's server ends with its command; Ctrl-C is heeded at once)
from lodestone.stage import TRACEBACK_VARIABLE, guarded

# Each adds its parsers to the commands; in the order of the help.
COMMANDS = (discover, check, reference, publish, ui, drift, docs)


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
<<<<<<< HEAD

    discover = commands.add_parser("discover", help=f"run the campaign of {PARAMS_FILE} to its report")
    discover.add_argument("targets", nargs="*", metavar="STAGE", help="only these stages and what they need")
    discover.add_argument("--force", action="store_true", help="run stages even if nothing changed")
    discover.set_defaults(run=_discover)

    check = commands.add_parser("check", help="check the parameters and stop")
    check.add_argument("--params", type=Path, default=PARAMS_FILE, help="parameter file (default: %(default)s)")
    check.set_defaults(run=_check)

    reference = commands.add_parser("reference", help=f"build {REFERENCE_FILE}; goes on where it was interrupted")
    reference.add_argument("--limit", type=_count, metavar="N", help="only the first N decorations, to try it out")
    reference.add_argument("--store", type=Path, metavar="PATH", help="label store (default: $LODESTONE_LABELS)")
    reference.add_argument("--out", type=Path, default=REFERENCE_FILE, help="what to write (default: %(default)s)")
    reference.set_defaults(run=_reference)

    plain = (
        ("publish", _publish, "replay the finished campaign into MLflow"),
        ("champion", _champion, "show the registered ensemble with the least validation error"),
        ("docs", _docs, "write DATASET.md and docs/parameters.md from the code"),
    )
    for name, run, text in plain:
        commands.add_parser(name, help=text).set_defaults(run=run)

    for command in (gate, exchange):
        command.add_to(commands)

    drift = commands.add_parser("drift", help="what changed between two snapshots")
    drift.add_argument("old", type=Path, metavar="OLD", help="data/snapshot/crystals.parquet of the older version")
    drift.add_argument("new", type=Path, metavar="NEW", help="the same of the newer version")
    drift.add_argument("--html", type=Path, metavar="PATH", help="also write a page with figures and tables")
    drift.add_argument("--table", type=Path, metavar="PATH", help="also write every changed crystal as parquet")
    drift.add_argument(
        "--tolerance", type=_energy, metavar="EV", help="changes up to this do not count (0.001 eV/atom)"
    )
    drift.add_argument("--across-labels", action="store_true", help="compare even energies of different kinds")
    drift.set_defaults(run=_drift)

    ui = commands.add_parser("ui", help="browse the runs with MLflow")
    ui.add_argument("--port", type=_count, default=5000, help="on 127.0.0.1 (default: %(default)s)")
    ui.set_defaults(run=_ui)
=======
    for command in COMMANDS:
        command.add_to(commands)
>>>>>>> 24d56ef (The command in modules by command; another folder's code is refused; stores of moved folders are brought home; MLflow's server ends with its command; Ctrl-C is heeded at once)
    return parser


if __name__ == "__main__":
    main()
