"""A batch of candidates that are not all alike: the first ones of a ranking, within limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import polars as pl

from lodestone.config.discovery import DiscoveryParams


@dataclass(frozen=True, kw_only=True)
class BatchLimits:
    """How much of one kind a batch may have.

    Attributes:
        per_chemsys: Most candidates of one chemical system; ``None`` for any number.
        per_prototype: Likewise of one prototype.
        generator_share: Largest share of the budget for one generator; it gives way where the others have no more.
        latent_distance: Least Euclidean distance between the latent vectors of two candidates.
    """

    per_chemsys: int | None = None
    per_prototype: int | None = None
    generator_share: float = 1.0
    latent_distance: float = 0.0

    @classmethod
    def of(cls, params: DiscoveryParams) -> BatchLimits:
        """Those of a campaign."""
        return cls(
            per_chemsys=params.max_per_chemsys,
            per_prototype=params.max_per_prototype,
            generator_share=params.max_generator_share,
            latent_distance=params.min_latent_distance,
        )

    def of_columns(self, budget: int) -> list[dict[str, int]]:
        """Most candidates of one value, by column; a second time for what the share of a generator leaves."""
        most = {"chemsys": self.per_chemsys, "prototype": self.per_prototype}
        hard = {column: limit for column, limit in most.items() if limit is not None}
        if self.generator_share == 1:
            return [hard]
        return [hard | {"generator": ceil(self.generator_share * budget)}, hard]


def batch(ranked: pl.DataFrame, budget: int, limits: BatchLimits, latents: np.ndarray | None = None) -> list[int]:
    """Go through a ranking and take what the limits allow.

    Args:
        ranked: Candidates, the best first, with the columns ``chemsys``, ``prototype`` and ``generator`` as far as they
            are limited.
        budget: Most candidates.
        limits: See :class:`BatchLimits`.
        latents: Latent vectors, shape ``(n, width)``; needed where their distance is limited.

    Returns:
        Rows of the ranking; fewer than the budget where the limits leave no more.
    """
    taken: list[int] = []
    counts: dict[str, Counter[str]] = {column: Counter() for column in ("chemsys", "prototype", "generator")}
    for most in limits.of_columns(budget):
        rows = _kinds(ranked, most)
        for row, kinds in enumerate(rows):
            if len(taken) == budget:
                return taken
            full = any(counts[column][kinds[column]] >= limit for column, limit in most.items())
            if row not in taken and not full and not _is_near(row, taken, latents, limits.latent_distance):
                taken.append(row)
                for column, kind in kinds.items():
                    counts[column][kind] += 1
    return taken


def _kinds(ranked: pl.DataFrame, most: Mapping[str, int]) -> Sequence[Mapping[str, str]]:
    """Values of the limited columns, row by row."""
    return ranked.select(list(most)).rows(named=True) if most else [{}] * len(ranked)


def _is_near(row: int, taken: Sequence[int], latents: np.ndarray | None, distance: float) -> bool:
    if latents is None or distance == 0 or not taken:
        return False
    return bool(np.linalg.norm(latents[list(taken)] - latents[row], axis=1).min() < distance)
