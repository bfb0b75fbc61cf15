"""Retries of requests to servers: faults that may pass are retried a bounded number of times, with growing waits."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from lodestone.errors import LodestoneError

TRIES = 6
FIRST_WAIT = 1.0  # seconds; doubles with every retry
LONGEST_WAIT = 300.0  # seconds; if a server asks for a longer wait, we give up

T = TypeVar("T")


class TransientError(Exception):
    """A fault that may pass by itself.

    Args:
        fault: What is raised if it does not pass.
        wait: Seconds that the server asks to wait (``Retry-After``).
    """

    def __init__(self, fault: LodestoneError, wait: float | None = None) -> None:
        super().__init__(fault.problem)
        self.fault = fault
        self.wait = wait


def patiently(ask: Callable[[], T]) -> T:
    """Call ``ask`` until it raises no :class:`TransientError`, :data:`TRIES` times at most.

    Raises:
        LodestoneError: The fault of the last try, or of the first one whose wait would be too long.
    """
    for attempt in range(1, TRIES + 1):
        try:
            return ask()
        except TransientError as error:
            fault, wait = error.fault, error.wait
        if attempt < TRIES and (wait or 0) <= LONGEST_WAIT:
            _pause(fault.problem, max(wait or 0.0, _back_off(attempt)), attempt)
        else:
            break
    outcome = f"tried {attempt} times" if attempt == TRIES else f"it asks to wait {wait:.0f} s"
    raise LodestoneError(f"{fault.problem} ({outcome})", fault.remedy)


def retry_after(header: str | None) -> float | None:
    """Seconds from a ``Retry-After`` header, which holds seconds or a date; ``None`` if it is absent or unusable."""
    from urllib3.exceptions import InvalidHeader
    from urllib3.util.retry import Retry

    try:
        return None if header is None else max(0.0, float(Retry().parse_retry_after(header)))
    except InvalidHeader:
        return None


def _back_off(attempt: int) -> float:
    # The jitter keeps processes that failed together from retrying together; it affects no result.
    return FIRST_WAIT * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - no secret


def _pause(problem: str, seconds: float, attempt: int) -> None:
    from tqdm import tqdm

    tqdm.write(f"{problem}; trying again in {seconds:.1f} s ({attempt} of {TRIES - 1})", file=sys.stderr)
    time.sleep(seconds)
