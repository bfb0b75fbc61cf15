"""Stands between a worker and VASP: whatever was started here ends when the worker does, or when it is told to.

A script: ``python -m lodestone.vasp.supervisor LOCK COMMAND...``, the first process of a session of its own. As long as
anything runs that it has started, LOCK is locked: who comes next waits for that, and two never write into one folder.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from lodestone.runtime.processes import die_with_parent

_GRACE = 5.0  # seconds for srun, mpirun and VASP to end by themselves
_PAUSE = 0.05


def main(lock: Path, command: list[str]) -> int:
    """Run a command to its end.

    Args:
        lock: The file that is locked meanwhile.
        command: Program and arguments.

    Returns:
        Its exit code, as a shell would give it.
    """
    signal.signal(signal.SIGTERM, _end_all)
    die_with_parent(signal.SIGTERM)
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        code = subprocess.run(command, pass_fds=(file.fileno(),), check=False).returncode
    return code if code >= 0 else 128 - code


def _end_all(*_: object) -> None:
    """End the whole process group, this process included: first kindly, as launchers then end what runs elsewhere."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    end = time.monotonic() + _GRACE
    while time.monotonic() < end and _child_runs():
        time.sleep(_PAUSE)
    os.killpg(0, signal.SIGKILL)


def _child_runs() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        return False


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
