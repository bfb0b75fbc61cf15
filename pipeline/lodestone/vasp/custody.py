"""VASP under custodian: known errors are mended while it runs, and nothing of it outlives an interruption."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lodestone.errors import LodestoneError
from lodestone.vasp.faults import FailedError
from lodestone.vasp.folder import RunFolder

RELAXATION, STATIC = (".relax1", ".relax2"), (".static",)
_POLL = 0.2  # seconds between two looks whether VASP has ended
_LOOKS = 1500  # after so many, the handlers look at what it has written
# As for the relaxations of the Materials Project.
_HANDLERS = (
    "VaspErrorHandler",
    "MeshSymmetryErrorHandler",
    "UnconvergedErrorHandler",
    "NonConvergingErrorHandler",
    "PotimErrorHandler",
    "PositiveEnergyErrorHandler",
    "FrozenJobErrorHandler",
    "StdErrHandler",
    "LargeSigmaHandler",
    "IncorrectSmearingHandler",
    "KspacingMetalHandler",
)


def require_custodian() -> None:
    """See to it that a calculation can begin.

    Raises:
        LodestoneError: If custodian is not installed.
    """
    try:
        import custodian  # noqa: F401
    except ImportError as error:
        raise LodestoneError(
            "the oracle vasp needs the package custodian, which is not installed",
            "pip install 'lodestone-materials[vasp]'",
        ) from error


def run_vasp(folder: RunFolder, command: Sequence[str], *, n_finished: int, max_errors: int) -> None:
    """Run what is not finished of a folder.

    Args:
        folder: Holds the input files.
        command: Runs VASP in its working directory.
        n_finished: Calculations of the folder that are left out.
        max_errors: Errors after which custodian gives up.

    Raises:
        FailedError: If it gives up.
    """
    from custodian import Custodian
    from custodian.custodian import CustodianError
    from custodian.vasp import handlers, validators

    jobs = _jobs(folder, command)[n_finished:]
    custodian = Custodian(
        [getattr(handlers, name)() for name in _HANDLERS],
        jobs,
        validators=[validators.VasprunXMLValidator(), validators.VaspFilesValidator()],
        max_errors=max_errors,
        polling_time_step=_POLL,
        monitor_freq=_LOOKS,
        skip_over_errors=True,  # a handler that stumbles over a file is no reason to give up
        directory=str(folder.path),
    )
    with _logged(folder.path / "custodian.log"), _ended(jobs), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            custodian.run()
        except CustodianError as error:
            raise FailedError(_reason(str(error), custodian.run_log)) from error
    if folder.n_finished < len(folder.suffixes):  # some errors it only writes down
        raise FailedError(_reason("Unrecoverable error", custodian.run_log))


def _jobs(folder: RunFolder, command: Sequence[str]) -> list[Any]:
    from custodian.vasp.jobs import VaspJob

    supervised = [sys.executable, "-P", "-m", "lodestone.vasp.supervisor", str(folder.running), *command]
    if tuple(folder.suffixes) == STATIC:
        return [VaspJob(supervised, suffix=STATIC[0], auto_gamma=False)]
    jobs = list(VaspJob.double_relaxation_run(supervised, auto_npar=False, ediffg=None))
    for job in jobs:
        job.auto_gamma = False  # the command is what the user says
    return jobs


@contextmanager
def _ended(jobs: Sequence[Any]) -> Iterator[None]:
    """See to it that nothing runs on when the block is left, also by the exception of a time limit."""
    try:
        yield
    finally:
        for job in jobs:
            process = getattr(job, "_vasp_process", None)
            if process is not None and process.poll() is None:
                job.terminate()
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Let custodian's messages go to a file, and not to the terminal."""
    handler = logging.FileHandler(path, delay=True)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


def _reason(problem: str, run_log: Sequence[dict[str, Any]]) -> str:
    errors = [str(error) for job in run_log for done in job["corrections"] for error in done["errors"]]
    return f"{problem.rstrip('.')} ({', '.join(dict.fromkeys(errors))})" if errors else problem
