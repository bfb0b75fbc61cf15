"""Choose which of the screened candidates go to the oracle."""

from __future__ import annotations

from collections.abc import Set

import numpy as np
import polars as pl

from lodestone.config.discovery import DiscoveryParams
from lodestone.config.registry import ACQUISITIONS
from lodestone.config.rounds import RoundParams
from lodestone.discovery.batches import BatchLimits, batch


def choose(
    candidates: pl.DataFrame,
    params: DiscoveryParams,
    budget: RoundParams,
    generator: np.random.Generator,
    *,
    judged: Set[str] = frozenset(),
    latents: np.ndarray | None = None,
) -> pl.DataFrame:
    """Choose candidates for the oracle: by the acquisition, and a random baseline without the networks.

    Args:
        candidates: Output of :func:`screen`.
        params: Ranking, threshold, and limits of a batch, which apply to both choices.
        budget: Size of each choice.
        generator: Source of randomness for the baseline (and for a random ranking).
        judged: Generators whose candidates networks have chosen already: the baseline, which says what is found without
            networks, takes them only where there are no others.
        latents: Latent vectors of the candidates, shape ``(n, width)``; needed for `min_latent_distance`.

    Returns:
        The candidates with ``acquired_by`` set; the two choices share no candidate.
    """
    limits = BatchLimits.of(params)

    def taken(ranked: pl.DataFrame, size: int) -> list[str]:
        vectors = None if latents is None else latents[ranked["_row"].to_numpy()]
        return ranked["material_id"][batch(ranked, size, limits, vectors)].to_list()

    numbered = candidates.with_row_index("_row").sort("material_id")
    shuffled = numbered.select(pl.all().gather(generator.permutation(len(candidates))))
    blind = shuffled.filter(~pl.col("generator").is_in(sorted(judged)))
    baseline = taken(blind if len(blind) else shuffled, budget.random_baseline)
    pool = shuffled.filter(~pl.col("material_id").is_in(sorted(baseline)))
    chosen = taken(ACQUISITIONS.make(params.acquisition, pool, params.threshold), budget.budget)
    how = dict.fromkeys(chosen, "model") | dict.fromkeys(baseline, "random")
    acquired = [how.get(name, "none") for name in candidates["material_id"]]
    return candidates.with_columns(pl.Series("acquired_by", acquired, dtype=pl.String))
