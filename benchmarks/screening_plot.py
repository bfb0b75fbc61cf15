"""Rate and memory of screening against the number of candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from drawing import COMPOSITION, STRUCTURE, panels, plain_logarithms, save

_COUNTS = (10_000, 100_000, 1_000_000, 10_000_000)
_RATES = (100, 300, 1_000, 3_000, 10_000)


def draw(found: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw how rate and memory change with the number of candidates.

    Args:
        found: Of each search ``candidates``, ``rate`` and ``steady_rate`` (1/s) and ``memory_gib``.
        path: Where.
    """
    counts = [one["candidates"] for one in found]
    limits = {"xlim": (min(counts) / 1.5, max(counts) * 1.5)}
    with panels(2, 7.8, 3.2, one_scale=False) as (figure, (rates, memory)):
        for name, color, label in (
            ("steady_rate", STRUCTURE, "after the sample"),
            ("rate", COMPOSITION, "from start to table"),
        ):
            rates.plot(counts, [one[name] for one in found], "o-", color=color, label=label, markersize=5)
        lowest, highest = min(one["rate"] for one in found), max(one["steady_rate"] for one in found)
        plain_logarithms(rates, _COUNTS, _RATES, ylim=(lowest / 1.5, highest * 1.5), **limits)
        rates.set(xlabel="candidates", ylabel="candidates a second")
        rates.legend(frameon=False, fontsize=8, loc="lower right")
        memory.plot(counts, [one["memory_gib"] for one in found], "o-", color=STRUCTURE, markersize=5)
        plain_logarithms(memory, _COUNTS, (), ylim=(0.1, 10), **limits)
        memory.set(
            yscale="linear",
            ylim=(0, max(4.2, 1.05 * max(one["memory_gib"] for one in found))),
            xlabel="candidates",
            ylabel="peak memory (GiB)",
        )
        memory.axhline(4, color="#57534e", linewidth=0.9, linestyle=":")
        save(figure, path)
