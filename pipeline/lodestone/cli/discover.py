"""`lodestone discover`: run the campaign with DVC in this environment, and clean up its processes."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lodestone.cli.campaigns import add_params, enter_campaign
from lodestone.cli.check import refuse_absent_judges
from lodestone.config.load import PARAMS_FILE, load_params
from lodestone.errors import LodestoneError, WaitingError
from lodestone.runtime.disk import check_writable
from lodestone.runtime.environment import command_variables
from lodestone.runtime.executor import prepare_executor
from lodestone.runtime.kernels import pinned_kernels
from lodestone.runtime.processes import (
    DAMAGED_LOCK_FILE,
    DVC_LOCKS,
    RUN_VARIABLE,
    die_with_parent,
    heed_ctrl_c,
    release_locks_of_the_dead,
    set_aside_half_written,
)
from lodestone.snapshot.version import ensure_version_file
from lodestone.stage import WAITING_VARIABLE
from lodestone.tables.layout import METRICS, REFERENCE_FILE, REPORTS, UNPUBLISHED
from lodestone.workspace.versions import refresh_versions

_RAN = ("Running stage ", "is cached - skipping run")


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser("discover", help=f"run the campaign of {PARAMS_FILE} to its report")
    parser.add_argument("targets", nargs="*", metavar="STAGE", help="only these stages and what they need")
    parser.add_argument("--force", action="store_true", help="run stages even if nothing changed")
    parser.add_argument(
        "--pull", action="store_true", help="take stages that another machine has finished from the DVC remote"
    )
    add_params(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if "MAKELEVEL" in os.environ:  # started by make: end when make is killed
        die_with_parent(signal.SIGTERM)
    root = Path().resolve()
    check_writable(root)
    prepare_executor()
    refresh_versions(root)
    enter_campaign(arguments.params)
    params = load_params()
    _refuse_missing_source(params.snapshot.path)
    refuse_absent_judges(params)
    ensure_version_file(params.snapshot)
    _clear_away(root)
    before = _unpublished(root)
    code, ran = _repro([*arguments.targets, *(f"--{name}" for name in ("force", "pull") if getattr(arguments, name))])
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
    left_by_an_earlier_run = before is not None and _unpublished(root) == before
    if left_by_an_earlier_run and not arguments.targets:  # DVC thinks that the stage is done
        _publish(root)
    return 0


def _unpublished(root: Path) -> float | None:
    """When a publication was put off, if one was."""
    mark = root / UNPUBLISHED
    return mark.stat().st_mtime if mark.exists() else None


def _publish(root: Path) -> None:
    from lodestone.tracking.store import publish_or_defer

    publish_or_defer(root, load_params())


def _refuse_missing_source(path: Path) -> None:
    """DVC needs the file for every source; it would delete the old snapshot first and then suggest no remedy."""
    if not path.exists():
        remedy = f"correct the path, or put the file back (`git checkout {REFERENCE_FILE}` brings the default)"
        raise LodestoneError(f"{PARAMS_FILE}: snapshot.path: {path} does not exist", remedy)


def _clear_away(root: Path) -> None:
    """Remove leftovers of a killed DVC, here and in the root of the repository."""
    release_locks_of_the_dead(root / DVC_LOCKS)
    if set_aside_half_written(aside=root / DAMAGED_LOCK_FILE):
        print(
            f"note: the last run was killed while it wrote dvc.lock; what there is of it is now {DAMAGED_LOCK_FILE}, "
            "and finished stages are taken from the cache",
            file=sys.stderr,
        )


def _repro(options: list[str]) -> tuple[int, bool]:
    """Run `dvc repro` from this environment, pass on its output, and return its exit code and whether any stage ran.

    Raises:
        WaitingError: If a stage has stopped because of one, which DVC takes for a fault.
    """
    with TemporaryDirectory() as folder:
        waiting = Path(folder) / "waiting.json"
        code, ran = _run_dvc(options, {WAITING_VARIABLE: str(waiting)})
        if code and waiting.exists():
            raise WaitingError(*json.loads(waiting.read_text(encoding="utf-8")))
    return code, ran


def _run_dvc(options: list[str], variables: dict[str, str]) -> tuple[int, bool]:
    own = command_variables() | {"PYTHONUNBUFFERED": "1", RUN_VARIABLE: str(os.getpid())}
    own |= pinned_kernels() | variables
    # DVC runs stages in this shell. bash replaces itself with the stage; dash, Debian's /bin/sh, stays between the two,
    # and the stage would not notice when DVC ends.
    own["SHELL"] = shutil.which("bash") or os.environ.get("SHELL", "/bin/sh")
    command = [sys.executable, "-m", "dvc", "repro", *options]
    ran = False
    heed_ctrl_c()
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
    """In DVC and all its children, ignore Ctrl-C: only we handle it, or each would show its traceback."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(signal.SIGTERM)


def _summarise() -> None:
    from lodestone.tables.files import read_json
    from lodestone.tracking.address import bring_home
    from lodestone.tracking.records import flatten

    bring_home(Path())  # the folder may have been moved since the campaign was published

    summary, report = METRICS / "campaign.json", REPORTS / "campaign.html"
    if summary.is_file():
        for key, value in flatten(read_json(summary)):
            print(f"  {key:<40} {_readable(value)}")
    if report.is_file():
        print(f"Report: {report.resolve()}")


def _readable(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "-" if value is None else str(value)
