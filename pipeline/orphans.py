"""No process outlives the one that started it, and none blocks the next run after its death."""

from __future__ import annotations

import ctypes
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DVC_LOCKS = Path(".dvc/tmp/rwlock")
_PR_SET_PDEATHSIG = 1


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask the kernel to send this process a signal when its parent ends; does nothing where there is no prctl.

    Args:
        number: Signal to send.
    """
    try:
        prctl = ctypes.CDLL(None).prctl
    except (AttributeError, OSError, TypeError):  # not Linux
        return
    prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def release_locks_of_the_dead(path: Path = DVC_LOCKS) -> None:
    """Remove DVC's locks if all their owners are dead.

    DVC does so itself, except for a killed process that its parent has not collected: in a container without an init
    process that is never, and DVC would call the files busy for good.
    """
    try:
        owners = list(_owners(json.loads(path.read_text())))
        if owners and not any(is_running(owner) for owner in owners):
            path.unlink()
    except (OSError, ValueError):  # no locks, or none that we understand: DVC will tell
        return


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:  # the state follows the name of the command, which is in parentheses
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (OSError, IndexError):
        return True


def _owners(content: Any) -> Iterator[int]:
    """Process ids anywhere in the lock file."""
    if isinstance(content, dict):
        if isinstance(content.get("pid"), int):
            yield content["pid"]
        content = list(content.values())
    if isinstance(content, list):
        for part in content:
            yield from _owners(part)
