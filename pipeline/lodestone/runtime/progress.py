"""Progress bars that do not clutter logs."""

from collections.abc import Iterable
from typing import Any, TypeVar

T = TypeVar("T")


def track(items: Iterable[T], total: int, title: str) -> Iterable[T]:
    """Iterate with a progress bar on stderr (about one line a minute if it is not a terminal)."""
    bar: Iterable[T] = progress_bar(total, title, items)
    return bar


def progress_bar(total: int, title: str, items: Iterable[Any] | None = None) -> Any:
    """A tqdm bar on stderr, to be updated by hand or by iterating; see :func:`track`."""
    import sys

    from tqdm import tqdm

    interval = 0.2 if sys.stderr.isatty() else 60.0
    return tqdm(items, total=total, desc=title, mininterval=interval, miniters=1, disable=total == 0, ncols=90)
