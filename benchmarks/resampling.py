"""Bootstrap by chemical system: crystals of one system err alike, so whole systems are drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lodestone.runtime.seeds import child_generator

N_RESAMPLED = 2000


def resampled_sums(columns: np.ndarray, systems: Sequence[str], seed: int) -> np.ndarray:
    """Sums of columns in bootstrap samples, the same samples for all columns, so that their ratios can be compared.

    A mean is a ratio of sums, and so is F1: twice the hits by those called stable and those that are.

    Args:
        columns: One number per crystal in each of k rows, shape ``(k, n)``.
        systems: Chemical systems of the crystals.
        seed: Root seed of the resampling.

    Returns:
        Shape ``(k, N_RESAMPLED)``.
    """
    _, numbers = np.unique(systems, return_inverse=True)
    sums = np.stack([np.bincount(numbers, weights=column) for column in columns])
    n = sums.shape[1]
    generator = child_generator(seed, "peers", "bootstrap")
    return np.stack([sums @ generator.multinomial(n, np.full(n, 1 / n)) for _ in range(N_RESAMPLED)], axis=1)


def mae_interval(absolute: np.ndarray, systems: Sequence[str], seed: int) -> tuple[float, float]:
    """95 % bootstrap interval of the MAE."""
    errors, counts = resampled_sums(np.stack([absolute, np.ones(len(absolute))]), systems, seed)
    return interval(errors / counts)


def interval(samples: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of bootstrap samples."""
    low, high = np.percentile(samples, [2.5, 97.5])
    return float(low), float(high)
