"""The few figures that tell how a campaign goes, round by round; everything else is in the child runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lodestone.tracking.records import Point, points_of


def headline(ensemble: Mapping[str, Any], learning: Mapping[str, Any], views: Iterable[str], step: int) -> list[Point]:
    """Figures of one round for the run of the campaign; MLflow shows what stands before ``/`` together, by name.

    Args:
        ensemble: Metrics of the stage `ensemble`.
        learning: Metrics of the stage `active_learning`.
        views: Names of the views.
        step: Index of the round.
    """
    test, unrelaxed = ensemble.get("test", {}), ensemble.get("unrelaxed", {}).get("test", {})
    figures = {
        "hit_rate": {
            "models": _at(learning, "hit_rate", "model", "rate"),
            "random": _at(learning, "hit_rate", "random", "rate"),
            "models_predicted": _at(learning, "predicted_hit_rate", "model"),
        },
        "finds": {"of_the_round": learning.get("n_discovered"), "so_far": learning.get("n_discovered_total")},
        "test_mae": {
            **{name: _at(test, name, "mae") for name in ("ensemble", *views)},
            "ensemble_unrelaxed": _at(unrelaxed, "ensemble", "mae"),
        },
        "uncertainty": {
            "coverage_90": _at(test, "uncertainty", "coverage", "rate"),
            "coverage_90_unrelaxed": _at(unrelaxed, "uncertainty", "coverage", "rate"),
        },
        "stability": {name: _at(test, "stability", name) for name in ("f1", "precision", "recall")},
        "size": {"learned_from": ensemble.get("n_train"), "on_the_hull": learning.get("n_stable_end")},
    }
    return points_of(figures, step=step)


def _at(content: Any, *names: str) -> Any:
    for name in names:
        content = content.get(name) if isinstance(content, Mapping) else None
    return content
