"""One progress bar over the epochs of all members, whichever processes train them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lodestone.runtime.progress import progress_bar

_SECONDS = 0.2


def report(path: Path, member: int, epoch: int, validation_mae: float) -> None:
    """Append one line; short lines of several processes do not mix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps([member, epoch, validation_mae]) + "\n")


@contextmanager
def reported(path: Path, total: int, title: str) -> Iterator[Any]:
    """Show on stderr what :func:`report` writes, as long as the body runs.

    Args:
        path: File that the members report to; emptied first.
        total: Epochs of all members.
        title: Shown before the bar.

    Yields:
        The bar.
    """
    path.unlink(missing_ok=True)
    done = threading.Event()
    with progress_bar(total, title) as bar:
        follower = threading.Thread(target=_follow, args=(path, bar, done), daemon=True)
        follower.start()
        try:
            yield bar
        finally:
            done.set()
            follower.join()


def _follow(path: Path, bar: Any, done: threading.Event) -> None:
    epochs: dict[int, int] = {}
    position, last = 0, False
    while not last:
        last = done.wait(_SECONDS)  # what was written before the end is still read
        text = path.read_text()[position:] if path.is_file() else ""
        lines = text[: text.rfind("\n") + 1]
        position += len(lines)
        for line in lines.splitlines():
            member, epoch, mae = json.loads(line)
            epochs[member] = epoch
            bar.set_postfix_str(f"validation MAE {mae:.4f} eV/atom", refresh=False)
        bar.update(sum(epochs.values()) - bar.n)
