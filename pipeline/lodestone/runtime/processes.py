"""No process outlives the one that started it, and none blocks the next run after its death."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

RUN_VARIABLE = "LODESTONE_RUN"
DVC_LOCKS = Path(".dvc/tmp/rwlock")
DVC_LOCK_FILE = Path("dvc.lock")
DAMAGED_LOCK_FILE = Path(".dvc/tmp/dvc.lock.damaged")
_PR_SET_PDEATHSIG = 1


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask the kernel to send this process a signal when its parent ends; does nothing where there is no prctl.

    The parent may have ended earlier, while this process was importing. Then the signal is sent now, if the parent is
    a `lodestone discover`, which sets ``LODESTONE_RUN`` to its pid. Workers handle this themselves: see
    :mod:`lodestone.runtime.workers`.

    Args:
        number: Signal to send.
    """
    try:
        prctl = ctypes.CDLL(None).prctl
    except (AttributeError, OSError, TypeError):  # not Linux
        return
    prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if _is_orphan():
        os.kill(os.getpid(), number)


def heed_ctrl_c() -> None:
    """Let Ctrl-C interrupt a wait at once; with polars imported, the wait would otherwise run to its end."""
    signal.siginterrupt(signal.SIGINT, True)


def _is_orphan() -> bool:
    run = os.environ.get(RUN_VARIABLE, "")
    return run.isdigit() and not is_running(int(run))


def release_locks_of_the_dead(path: Path = DVC_LOCKS) -> None:
    """Remove DVC's locks if all their owners are dead, or if a killed DVC left them half-written.

    DVC does the former itself, except for a killed process that its parent has not reaped. In a container without an
    init process that never happens, and DVC would report the files as busy forever.
    """
    if _is_left_damaged(path, _is_json):
        path.unlink(missing_ok=True)
        return
    try:
        owners = list(_owners(json.loads(path.read_text())))
        if owners and not any(is_running(owner) for owner in owners):
            path.unlink()
    except (OSError, ValueError):  # no locks, or unreadable ones: DVC will report it
        return


def set_aside_half_written(path: Path = DVC_LOCK_FILE, aside: Path = DAMAGED_LOCK_FILE) -> bool:
    """Move away a `dvc.lock` that DVC, which writes it in place, was killed while writing.

    DVC would reject it. Without it, DVC takes finished stages from its run cache.

    Returns:
        Whether there was such a file.
    """
    if not _is_left_damaged(path, _is_whole_lock_file):
        return False
    aside.parent.mkdir(parents=True, exist_ok=True)
    os.replace(path, aside)
    return True


def is_running(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:  # the state follows the command name, which is in parentheses
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
        for item in content:
            yield from _owners(item)


def _is_left_damaged(path: Path, is_whole: Callable[[str], bool], seconds: float = 1.0) -> bool:
    """Whether a file is damaged and no process is still writing it."""
    try:
        text = path.read_text()
        if is_whole(text):
            return False
        time.sleep(seconds)
        return path.read_text() == text
    except (OSError, UnicodeDecodeError):  # no such file, or not one written by DVC
        return False


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _is_whole_lock_file(text: str) -> bool:
    """Whether every stage in the file is complete; DVC itself handles missing stages."""
    import yaml

    try:
        content = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
        return bool(content["schema"]) and all(map(_is_whole_stage, content["stages"].values()))
    except (yaml.YAMLError, KeyError, TypeError, AttributeError):
        return False


def _is_whole_stage(stage: dict[str, Any]) -> bool:
    files = [*stage.get("deps", ()), *stage.get("outs", ())]
    mappings = [stage, stage.get("params", {}), *files]
    return bool(stage["cmd"] and all(file["md5"] for file in files)) and not any(
        None in mapping.values() for mapping in mappings
    )
