"""The command `lodestone`. Start-up stays light: what is heavy is imported by the subcommand that needs it."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lodestone import __version__
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
from lodestone.stage import TRACEBACK_VARIABLE, guarded
from lodestone.tables.layout import METRICS, REFERENCE_FILE, REPORTS

_RAN = ("Running stage ", "is cached - skipping run")


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of the command.

    Raises:
        SystemExit: With the exit code of the subcommand.
    """
    arguments = _parser().parse_args(argv)
    if arguments.traceback:
        os.environ[TRACEBACK_VARIABLE] = "1"
    code = 0

    def run() -> None:
        nonlocal code
        code = arguments.run(arguments) or 0

    guarded(run)
    raise SystemExit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lodestone", description="Discover stable crystals by active learning.")
    parser.add_argument("--version", action="version", version=f"lodestone {__version__}")
    parser.add_argument("--traceback", action="store_true", help="show the Python traceback of faults")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

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
    return parser


def _discover(arguments: argparse.Namespace) -> int:
    if "MAKELEVEL" in os.environ:  # started by make: if that is killed, we are not wanted any more
        die_with_parent(signal.SIGTERM)
    _refuse_missing_source(load_params().snapshot.path)
    _clear_away()
    code, ran = _repro([*arguments.targets, *(["--force"] if arguments.force else [])])
    if code:
        print(
            "\nThe campaign stopped; what is finished is kept. Heed the message above, then run again to go on.",
            file=sys.stderr,
        )
        return code
    print()
    if not ran:
        print("Everything is up to date: no parameter, input or code has changed since the last run.")
    _summarise()
    return 0


def _refuse_missing_source(path: Path) -> None:
    """DVC depends on the file whatever the source, and would first remove the old snapshot, then tell no remedy."""
    if not path.exists():
        remedy = f"correct the path, or put the file back (`git checkout {REFERENCE_FILE}` brings the default)"
        raise LodestoneError(f"{PARAMS_FILE}: snapshot.path: {path} does not exist", remedy)


def _clear_away() -> None:
    """Remove what a killed DVC has left in the way."""
    release_locks_of_the_dead()
    if set_aside_half_written():
        print(
            f"note: the last run was killed while it wrote dvc.lock; what there is of it is now {DAMAGED_LOCK_FILE}, "
            "and finished stages are taken from the cache",
            file=sys.stderr,
        )


def _repro(options: list[str]) -> tuple[int, bool]:
    """Run `dvc repro` from this environment, pass its output on, and tell whether it had anything to do."""
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    own = {"PATH": path, "PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1", RUN_VARIABLE: str(os.getpid())}
    # DVC runs stages by this shell. bash makes itself the stage; dash, the /bin/sh of Debian, stays between the two,
    # and the stage would not be told of DVC's end.
    own["SHELL"] = shutil.which("bash") or os.environ.get("SHELL", "/bin/sh")
    command = [sys.executable, "-m", "dvc", "repro", *options]
    ran = False
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, errors="replace", env={**os.environ, **own}, preexec_fn=_end_with_us
    ) as process:
        try:
            for line in process.stdout or ():
                ran |= any(mark in line for mark in _RAN)
                print(line, end="", flush=True)
            return process.wait(), ran
        except KeyboardInterrupt:
            process.terminate()
            raise


def _end_with_us() -> None:
    """In DVC, and by inheritance in all that it starts: Ctrl-C is told to us only, or each would show its traceback."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(signal.SIGTERM)


def _summarise() -> None:
    from lodestone.tables.files import read_json
    from lodestone.tracking.records import flatten

    summary, report = METRICS / "campaign.json", REPORTS / "campaign.html"
    if summary.is_file():
        for key, value in flatten(read_json(summary)):
            print(f"  {key:<40} {_readable(value)}")
    if report.is_file():
        print(f"Report: {report.resolve()}")


def _readable(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "-" if value is None else str(value)


def _check(arguments: argparse.Namespace) -> None:
    params = load_params(arguments.params)
    print(f"{arguments.params} is valid: {len(params.rounds)} rounds on the {params.snapshot.source} snapshot.")


def _reference(arguments: argparse.Namespace) -> None:
    from lodestone.oracles.store import LabelStore, default_path
    from lodestone.reference.build import build, write_reference

    with LabelStore(arguments.store or default_path()) as store:
        made = build(store, arguments.limit)
    write_reference(made, arguments.out)
    lost = ", ".join(f"{count} {reason}" for reason, count in made.rejected.items()) or "none"
    print(f"{arguments.out}: {len(made.table)} crystals of {made.decorations} decorations; dropped: {lost}")


def _publish(_: argparse.Namespace) -> None:
    from lodestone.tracking.store import publish, tracking_uri

    receipt = publish(Path(), load_params())
    told = "written to" if receipt["created"] else "already in"
    print(f"{receipt['run']}: {told} {tracking_uri(Path())}")


def _champion(_: argparse.Namespace) -> None:
    from lodestone.tracking.store import champion

    for key, value in champion(Path()).items():
        print(f"{key:<28} {value}")


def _drift(arguments: argparse.Namespace) -> None:
    from lodestone.curation.drift import TOLERANCE, compare
    from lodestone.report.drift_page import render
    from lodestone.report.drift_text import tell
    from lodestone.schemas import Drift, Snapshot
    from lodestone.tables.files import read_table, write_atomically, write_table

    sides = [read_table(path, Snapshot) for path in (arguments.old, arguments.new)]
    tolerance = TOLERANCE if arguments.tolerance is None else arguments.tolerance
    found = compare(sides[0], sides[1], tolerance, arguments.across_labels)
    print(tell(found, str(arguments.old), str(arguments.new)))
    if arguments.table:
        write_table(found.crystals, arguments.table, Drift)
    if arguments.html:
        page = render(found, str(arguments.old), str(arguments.new))
        write_atomically(arguments.html, lambda target: target.write_text(page, encoding="utf-8"))
    for path in filter(None, (arguments.table, arguments.html)):
        print(f"written: {path}")


def _docs(_: argparse.Namespace) -> None:
    from lodestone.documentation.documents import write_docs

    for path in write_docs(Path()):
        print(path)


def _ui(arguments: argparse.Namespace) -> None:
    from lodestone.tracking.store import publish, tracking_uri

    uri = tracking_uri(Path())
    if uri.startswith("http"):
        raise LodestoneError(f"MLFLOW_TRACKING_URI is the server {uri}", "open it in a browser, or unset the variable")
    try:
        publish(Path(), load_params())
    except LodestoneError as error:
        print(f"note: the campaign in this folder is not shown: {error}", file=sys.stderr)
    print(f"MLflow on http://127.0.0.1:{arguments.port} (Ctrl-C ends it)", flush=True)
    store = ["--backend-store-uri", uri, "--host", "127.0.0.1", "--port", str(arguments.port), "--workers", "1"]
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")  # background jobs that nobody asked for
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "ui", *store])


def _energy(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no energy of 0 or more")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return value


if __name__ == "__main__":
    main()
