"""One crystal by VASP: the run of its folder, computed where it is not there yet."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from lodestone.errors import LodestoneError
from lodestone.vasp.custody import require_custodian, run_vasp
from lodestone.vasp.faults import FailedError, NotConvergedError, UnreadableRunError
from lodestone.vasp.folder import RunFolder
from lodestone.vasp.inputs import require_potentials
from lodestone.vasp.runs import read_run

COMMAND_VARIABLE = "LODESTONE_VASP"
_TAIL = 200  # characters


def calculated(folder: RunFolder, files: Callable[[], Mapping[str, str]], *, max_errors: int) -> bytes:
    """The ``vasprun.xml`` of a folder, packed; VASP runs unless it has done so before.

    Args:
        folder: Its folder.
        files: Makes the input files.
        max_errors: Errors after which custodian gives up.

    Raises:
        UnreadableRunError: If the run failed, did not converge or was cut short.
        LodestoneError: If VASP, its pseudopotentials or custodian are not there.
    """
    with folder.entered():
        if not folder.result.is_file():
            _calculate(folder, files, max_errors)
        return folder.result.read_bytes()


def vasp_command() -> list[str]:
    """``$LODESTONE_VASP``, program and arguments.

    Raises:
        LodestoneError: If it is not set, or the program is not there.
    """
    words = shlex.split(os.environ.get(COMMAND_VARIABLE, ""))
    remedy = f"say what runs VASP, as in {COMMAND_VARIABLE}='srun vasp_std', where the workers run"
    if not words:
        raise LodestoneError(f"{COMMAND_VARIABLE} is not set", remedy)
    program = shutil.which(words[0])
    if program is None:
        raise LodestoneError(f"{COMMAND_VARIABLE}: there is no program {words[0]}", remedy)
    return [str(Path(program).absolute()), *words[1:]]


def _calculate(folder: RunFolder, files: Callable[[], Mapping[str, str]], max_errors: int) -> None:
    command = vasp_command()
    require_potentials()
    require_custodian()
    n_finished = folder.prepare(files())
    try:
        if n_finished < len(folder.suffixes):
            run_vasp(folder, command, n_finished=n_finished, max_errors=max_errors)
    except FailedError as error:
        fault = _fault(folder.path, error)
        folder.set_aside()
        raise fault from error
    folder.finish()


def _fault(path: Path, given_up: FailedError) -> UnreadableRunError:
    """Why there is no run, as closely as its files tell.

    Raises:
        LodestoneError: If VASP has written nothing: it is not the crystal's fault.
    """
    if not (path / "OUTCAR").is_file():
        said = " ".join(_tail(path / name) for name in ("vasp.out", "std_err.txt")).strip()
        raise LodestoneError(
            f"VASP has written no OUTCAR in {path}: {said or given_up}",
            f"run {COMMAND_VARIABLE} there by hand; modules, libraries or the license may be missing",
        )
    run = path / "vasprun.xml"
    try:
        read_run(run.read_bytes() if run.is_file() else b"")
    except NotConvergedError as error:
        return error
    except UnreadableRunError as error:
        return error if "Validation" in str(given_up) and run.is_file() else given_up
    return given_up


def _tail(path: Path) -> str:
    return path.read_text(errors="replace").strip()[-_TAIL:] if path.is_file() else ""
