"""Waiting for other processes. Only what hangs fails here: a busy machine may take any time."""

import time
from collections.abc import Callable

HANG = 800.0  # seconds; pytest ends a test soon after, wherever it waits


def wait_for(condition: Callable[[], object]) -> None:
    """Return as soon as a condition holds."""
    end = time.monotonic() + HANG
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
