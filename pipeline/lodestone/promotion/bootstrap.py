"""The paired bootstrap by groups: how much of a difference between two models is chance of the test set.

Crystals of one chemical system are predicted with errors alike, so whole systems are drawn, with replacement (the
cluster bootstrap; Davison & Hinkley, Bootstrap Methods and their Application (1997), section 3.8). Both models are
measured on each drawn set, so whatever is hard for both cancels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Difference:
    """A difference between two models, with an interval; eV/atom, or without a unit.

    Attributes:
        estimate: On the test set as it is.
        low: Lower end: a share ``confidence`` of the drawn test sets has a larger difference.
        high: Upper end, likewise.
    """

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"


def resampled_counts(n_groups: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """How often each group is drawn in each of ``n`` test sets, shape ``(n, n_groups)``; rows sum to ``n_groups``."""
    drawn = rng.integers(n_groups, size=(n, n_groups)) + np.arange(n)[:, None] * n_groups
    return np.bincount(drawn.ravel(), minlength=n * n_groups).reshape(n, n_groups).astype(np.float64)


def group_sums(values: np.ndarray, groups: np.ndarray, n_groups: int) -> np.ndarray:
    """Sums over the crystals of each group.

    Args:
        values: Shape ``(n, k)``.
        groups: Number of the group of each crystal, shape ``(n,)``.
        n_groups: Number of groups.

    Returns:
        Shape ``(n_groups, k)``.
    """
    return np.stack([np.bincount(groups, weights=column, minlength=n_groups) for column in values.T], axis=1)


def difference(
    sums: np.ndarray, counts: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], confidence: float
) -> Difference:
    """A statistic of sums over groups, with the interval of its values on drawn test sets.

    Args:
        sums: Of each group, shape ``(n_groups, k)``.
        counts: See :func:`resampled_counts`.
        statistic: From sums over a test set, shape ``(..., k)``, to one number each; NaN where it is undefined.
        confidence: One-sided, 0.5 to 1.
    """
    drawn = statistic(counts @ sums)
    drawn = drawn[np.isfinite(drawn)]
    estimate = float(statistic(sums.sum(axis=0)[None])[0])
    if not len(drawn):
        return Difference(estimate=estimate, low=-np.inf, high=np.inf)
    low, high = np.quantile(drawn, [1 - confidence, confidence])
    return Difference(estimate=estimate, low=float(low), high=float(high))
