"""One retraining at a time in a folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lodestone.errors import WaitingError

LOCK = Path(".lodestone/retraining.lock")


@contextmanager
def alone(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock of a folder; the kernel releases it when this process ends, however it does.

    Args:
        folder: Root of the campaign.
        wait: Wait for another retraining to end, instead of stopping.

    Raises:
        WaitingError: If another retraining runs there.
    """
    path = folder / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _wait_or_stop(file.fileno(), path, wait=wait)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _wait_or_stop(descriptor: int, path: Path, *, wait: bool) -> None:
    problem = f"another retraining runs in this folder (process {path.read_text(encoding='utf-8') or 'unknown'})"
    if not wait:
        raise WaitingError(problem, "run again when it has ended, or with --wait")
    print(f"{problem}; waiting for its end", flush=True)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
