"""What a replayed campaign is worth, as small pure functions of the order in which crystals were verified.

Acceleration and enhancement as in Rohr et al., Chem. Sci. 11, 2696 (2020). All of them say as much about the pool as
about the policy: acceleration cannot exceed the ceiling that :func:`acceleration_ceiling` gives, so that figures of
pools with other shares of stable crystals are not comparable; the share of the ceiling and the area are.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np

CONFIDENCE = 0.95


def acceleration(n_found: int, n_verified: int, n_stable: int, n_pool: int) -> float:
    """Verifications that random choice needs on average for as many finds, over those that were made.

    Random choice makes ``n_stable / n_pool`` finds in each verification. What it would need may be more than the pool
    has, where nearly all stable crystals were found.

    Args:
        n_found: Stable crystals among those verified.
        n_verified: Verified crystals.
        n_stable: Stable crystals in the pool.
        n_pool: Crystals in the pool.
    """
    return n_found * n_pool / (n_stable * n_verified)


def acceleration_ceiling(n_verified: int, n_stable: int, n_pool: int) -> float:
    """Acceleration of a perfect choice; see :func:`acceleration`."""
    return acceleration(min(n_verified, n_stable), n_verified, n_stable, n_pool)


def share_of_ceiling(n_found: int, n_verified: int, n_stable: int) -> float:
    """Finds over those of a perfect choice with the same budget."""
    return n_found / min(n_verified, n_stable)


def area(stable: np.ndarray, n_stable: int, n_pool: int) -> float:
    """Area under the discovery curve, on a scale where random choice has 0 on average and a perfect one 1.

    The curve is the number of finds after each verification. A choice that is worse than random has a negative area.

    Args:
        stable: Whether each verified crystal is stable, in their order, shape ``(n_verified,)``.
        n_stable: Stable crystals in the pool.
        n_pool: Crystals in the pool.

    Returns:
        The area; 0 where perfect and random choice are the same, as in a pool of stable crystals only.
    """
    steps = np.arange(1, len(stable) + 1)
    random, perfect = steps * n_stable / n_pool, np.minimum(steps, n_stable)
    possible = float((perfect - random).sum())
    return float((np.cumsum(stable) - random).sum()) / possible if possible > 0 else 0.0


def mean_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> dict[str, Any]:
    """Mean over seeds, with its confidence interval by Student's distribution.

    Returns:
        ``mean``, ``low``, ``high`` (``None`` for a single value, which has no spread) and ``n``.
    """
    from scipy.stats import t

    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return {"mean": mean, "low": None, "high": None, "n": n}
    half = float(t.ppf(0.5 + confidence / 2, n - 1)) * float(np.std(values, ddof=1)) / sqrt(n)
    return {"mean": mean, "low": mean - half, "high": mean + half, "n": n}
