"""Screen candidates with the ensemble against the current hull, and choose which the oracle shall see."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import polars as pl

from pipeline.crystals.encoding import describe
from pipeline.discovery.substitution import Proposal
from pipeline.learning.rule import Prediction
from pipeline.params import DiscoveryParams, RoundParams
from pipeline.stability.compositions import atomic_fractions
from pipeline.stability.hull import ConvexHull

_RANKINGS = {
    "stability_probability": (["stability_probability", "energy_above_hull_pred"], [True, False]),
    "lowest_energy": (["energy_above_hull_pred"], [False]),
}


def screen(
    proposals: list[Proposal], parents: list[str], prediction: Prediction, hull: ConvexHull, round_name: str
) -> pl.DataFrame:
    """Proposals with their predicted distance to the hull.

    Args:
        proposals: Candidates.
        parents: ``material_id`` of every known crystal, by row.
        prediction: Predicted formation energies of the candidates; P(stable) is that of lying on or below the hull.
        hull: Hull at the start of the round, taken as exact: what it may lack is not in the probability.
        round_name: Prefix of the new identifiers.

    Returns:
        Columns of :class:`pipeline.schemas.Candidates`, ``acquired_by`` set to ``none``.
    """
    table = describe([proposal.crystal for proposal in proposals])
    floor = hull.hull_energies(atomic_fractions([proposal.crystal.atomic_numbers for proposal in proposals]))
    derived = pl.DataFrame(
        {
            "material_id": [candidate_id(round_name, proposal.decorated_prototype) for proposal in proposals],
            "decorated_prototype": [proposal.decorated_prototype for proposal in proposals],
            "parent_id": [parents[proposal.parent] for proposal in proposals],
            "substitution": [proposal.substitution for proposal in proposals],
            "substitution_probability": [proposal.probability for proposal in proposals],
            "energy_above_hull_pred": prediction.mean - floor,
            "stability_probability": prediction.probability_below(floor),  # the hull is taken as exact
            "acquired_by": ["none"] * len(proposals),
        }
    )
    return table.drop("decorated_prototype").hstack(derived).hstack(prediction.columns())


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


def candidate_id(round_name: str, decorated_prototype: str) -> str:
    """An identifier that follows from what the candidate is."""
    return f"{round_name}-{hashlib.blake2b(decorated_prototype.encode(), digest_size=5).hexdigest()}"


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
