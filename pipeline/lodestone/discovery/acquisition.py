"""Choose which of the screened candidates the oracle shall see."""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl

from lodestone.config.rounds import RoundParams
from lodestone.config.sections import DiscoveryParams

_RANKINGS = {
    "stability_probability": (["stability_probability", "energy_above_hull_pred"], [True, False]),
    "lowest_energy": (["energy_above_hull_pred"], [False]),
}


def acquire(
    candidates: pl.DataFrame, params: DiscoveryParams, budget: RoundParams, generator: np.random.Generator
) -> pl.DataFrame:
    """Choose candidates for the oracle: the acquisition's, and a random baseline from all that were proposed.

    Args:
        candidates: Output of :func:`screen`.
        params: Ranking, threshold and limit per chemical system.
        budget: How many of each.
        generator: Decides the baseline (and the ranking, where that is random).

    Returns:
        The candidates with ``acquired_by`` set; the two choices share no candidate.
    """
    shuffled = candidates.sort("material_id")[generator.permutation(len(candidates)).tolist()]
    baseline = set(shuffled["material_id"].head(budget.random_baseline).to_list())
    pool = shuffled.filter(~pl.col("material_id").is_in(sorted(baseline)))
    if params.acquisition != "random":
        columns, descending = _RANKINGS[params.acquisition]
        pool = pool.filter(pl.col("energy_above_hull_pred") <= params.threshold)
        pool = pool.sort([*columns, "material_id"], descending=[*descending, False])
    chosen = set(_spread(pool, params.max_per_chemsys, budget.budget))
    how = [("model" if i in chosen else "random" if i in baseline else "none") for i in candidates["material_id"]]
    return candidates.with_columns(pl.Series("acquired_by", how))


def _spread(ranked: pl.DataFrame, per_chemsys: int, budget: int) -> list[str]:
    """The first of a ranking, with no chemical system taking more than its share."""
    taken: Counter[str] = Counter()
    chosen: list[str] = []
    for material_id, chemsys in ranked.select("material_id", "chemsys").iter_rows():
        if len(chosen) == budget:
            break
        if taken[chemsys] < per_chemsys:
            taken[chemsys] += 1
            chosen.append(material_id)
    return chosen
