"""Choose which of the screened candidates go to the oracle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from math import ceil

import numpy as np
import polars as pl

from lodestone.config.discovery import DiscoveryParams
from lodestone.config.registry import ACQUISITIONS
from lodestone.config.rounds import RoundParams


def choose(
    candidates: pl.DataFrame,
    params: DiscoveryParams,
    budget: RoundParams,
    generator: np.random.Generator,
    judged: Set[str] = frozenset(),
) -> pl.DataFrame:
    """Choose candidates for the oracle: by the acquisition, and a random baseline without the networks.

    Args:
        candidates: Output of :func:`screen`.
        params: Ranking, threshold, and limits per chemical system and generator, which apply to both choices.
        budget: Size of each choice.
        generator: Source of randomness for the baseline (and for a random ranking).
        judged: Generators whose candidates networks have chosen already: the baseline, which says what is found without
            networks, takes them only where there are no others.

    Returns:
        The candidates with ``acquired_by`` set; the two choices share no candidate.
    """
    shuffled = candidates.sort("material_id").select(pl.all().gather(generator.permutation(len(candidates))))
    blind = shuffled.filter(~pl.col("generator").is_in(sorted(judged)))
    baseline = _spread(blind if len(blind) else shuffled, params, budget.random_baseline)
    pool = shuffled.filter(~pl.col("material_id").is_in(sorted(baseline)))
    ranked = ACQUISITIONS.make(params.acquisition, pool, params.threshold)
    chosen = _spread(ranked, params, budget.budget)
    how = [("model" if i in chosen else "random" if i in baseline else "none") for i in candidates["material_id"]]
    return candidates.with_columns(pl.Series("acquired_by", how, dtype=pl.String))


def _spread(ranked: pl.DataFrame, params: DiscoveryParams, budget: int) -> set[str]:
    """The first of a ranking within the limits; the limit per generator gives way where the others have no more."""
    systems: Counter[str] = Counter()
    generators: Counter[str] = Counter()
    chosen: set[str] = set()
    for per_generator in (ceil(params.max_generator_share * budget), budget):
        for material_id, chemsys, generator in ranked.select("material_id", "chemsys", "generator").iter_rows():
            if len(chosen) == budget:
                return chosen
            if (
                material_id not in chosen
                and systems[chemsys] < params.max_per_chemsys
                and generators[generator] < per_generator
            ):
                systems[chemsys] += 1
                generators[generator] += 1
                chosen.add(material_id)
    return chosen
