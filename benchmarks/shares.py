"""Shares as the benchmarks print them: with n and a 95 % Wilson interval."""

from __future__ import annotations

from lodestone.ensemble.metrics import wilson_proportion


def share_of(count: int, n: int) -> str:
    """So many of n, as ``3 of 22: 14 % [5, 33]``."""
    if not n:
        return "none of 0"
    share = wilson_proportion(count, n)
    return f"{count} of {n}: {100 * share['rate']:.0f} % [{100 * share['low']:.0f}, {100 * share['high']:.0f}]"
