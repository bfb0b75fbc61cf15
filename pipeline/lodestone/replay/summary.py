"""Figures of a replay with their intervals over seeds, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lodestone.ensemble.metrics import wilson_proportion
from lodestone.replay.campaign import Run
from lodestone.replay.metrics import acceleration, acceleration_ceiling, area, mean_interval, share_of_ceiling

FIGURES = ("acceleration", "share_of_ceiling", "area", "area_within_budget")


def figures(run: Run) -> dict[str, float]:
    """Figures of one policy and seed.

    The discovery curve goes on through the pool by the last ranking; ``area_within_budget`` ends with the budget.
    """
    found, verified = int(run.verified.sum()), len(run.verified)
    whole = np.concatenate([run.verified, np.asarray(run.rest, dtype=bool)])
    return {
        "acceleration": acceleration(found, verified, run.n_stable, run.n_pool),
        "share_of_ceiling": share_of_ceiling(found, verified, run.n_stable),
        "area": area(whole, run.n_stable, run.n_pool),
        "area_within_budget": area(run.verified, run.n_stable, run.n_pool),
        "finds": float(found),
    }


def summarize(runs: Sequence[Run], facts: dict[str, Any]) -> dict[str, Any]:
    """What ``replay.json`` holds.

    Args:
        runs: Every policy with the same seeds.
        facts: Sizes and settings, which are kept as they are.
    """
    first = runs[0]
    budget = len(first.verified)
    ceilings = [acceleration_ceiling(budget, run.n_stable, run.n_pool) for run in runs]
    names = list(dict.fromkeys(run.policy for run in runs))
    return {
        **facts,
        "n_pool": first.n_pool,
        "n_stable": first.n_stable,
        "prevalence": first.n_stable / first.n_pool,
        "acceleration_ceiling": float(np.mean(ceilings)),
        "policies": {name: _of_policy([run for run in runs if run.policy == name]) for name in names},
    }


def _of_policy(runs: Sequence[Run]) -> dict[str, Any]:
    found = [figures(run) for run in runs]
    rounds = range(len(runs[0].finds))
    return {
        **{name: mean_interval([one[name] for one in found]) for name in (*FIGURES, "finds")},
        "hit_rate": [_hit_rate([run.finds[number] for run in runs]) for number in rounds],
        "curve": np.mean([np.cumsum(run.verified) for run in runs], axis=0).tolist(),
    }


def _hit_rate(finds: Sequence[Sequence[bool]]) -> dict[str, Any]:
    """Mean over seeds with its interval, and all seeds taken together."""
    pooled = wilson_proportion(sum(sum(one) for one in finds), sum(len(one) for one in finds))
    return mean_interval([sum(one) / len(one) for one in finds]) | {"hits": pooled["hits"], "n_verified": pooled["n"]}


def table(summary: dict[str, Any]) -> Iterator[str]:
    """The figures as lines of a table in Markdown, the best policy first."""
    rounds = len(next(iter(summary["policies"].values()))["hit_rate"])
    numbered = " | ".join(f"hit rate, round {number}" for number in range(rounds))
    yield f"| policy | acceleration (95 %) | share of ceiling | area | area within budget | {numbered} |"
    yield "|---|" + "---:|" * (4 + rounds)
    ranked = sorted(summary["policies"].items(), key=lambda item: -item[1]["acceleration"]["mean"])
    for name, found in ranked:
        cells = [
            interval(found["acceleration"], "{:.2f}"),
            interval(found["share_of_ceiling"], "{:.0%}"),
            interval(found["area"], "{:.2f}"),
            interval(found["area_within_budget"], "{:.2f}"),
            *(f"{rate['mean']:.0%}" for rate in found["hit_rate"]),
        ]
        yield f"| {name} | {' | '.join(cells)} |"


def interval(figure: dict[str, Any], form: str) -> str:
    """A mean and its interval, e.g. ``4.80 (4.51 to 5.09)``."""
    mean = form.format(figure["mean"])
    return mean if figure["low"] is None else f"{mean} ({form.format(figure['low'])} to {form.format(figure['high'])})"
