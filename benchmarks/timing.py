"""Timing of two ways to do one thing."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """Seconds for the same work done by us and by what we measure ourselves against."""

    work: str
    other: str
    items: int
    ours: float
    theirs: float

    def row(self) -> str:
        """One line of the table."""
        per_item = f"{1e6 * self.ours / self.items:>10,.0f}{1e6 * self.theirs / self.items:>12,.0f}"
        return f"{self.work:<34}{self.other:<34}{self.items:>7,}{per_item}{self.theirs / self.ours:>9.1f}x"


HEADER = f"{'work':<34}{'compared with':<34}{'items':>7}{'ours, us':>10}{'other, us':>12}{'ratio':>10}"


def best_of(repeats: int, function: Callable[[], object]) -> float:
    """Shortest wall-clock time of several calls, in seconds; the least disturbed by what else the machine does."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times)
