"""Bootstrap by chemical system: crystals of one system err alike, so whole systems are drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.seeds import child_generator

N_RESAMPLED = 2000


def resampled_ratios(above: np.ndarray, below: np.ndarray, systems: Sequence[str], seed: int) -> np.ndarray:
    """``sum(above) / sum(below)`` in each bootstrap sample, shape ``(N_RESAMPLED,)``.

    A mean is such a ratio, and so is F1: twice the hits by those called stable and those that are. Equal systems and
    seed give equal samples, so ratios of two models can be subtracted.

    Args:
        above: One number per crystal, shape ``(n,)``.
        below: Likewise.
        systems: Chemical systems of the crystals.
        seed: Root seed of the resampling.
    """
    _, numbers = np.unique(systems, return_inverse=True)
    sums = np.stack([np.bincount(numbers, weights=part) for part in (above, below)])
    n = sums.shape[1]
    generator = child_generator(seed, "peers", "bootstrap")
    drawn = (sums @ generator.multinomial(n, np.full(n, 1 / n)) for _ in range(N_RESAMPLED))
    top, bottom = np.array(list(drawn)).T
    return top / bottom


def mae_interval(absolute: np.ndarray, systems: Sequence[str], seed: int) -> tuple[float, float]:
    """95 % bootstrap interval of the MAE."""
    return interval(resampled_ratios(absolute, np.ones(len(absolute)), systems, seed))


def interval(samples: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of bootstrap samples."""
    low, high = np.percentile(samples, [2.5, 97.5])
    return float(low), float(high)
