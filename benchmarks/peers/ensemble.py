"""Both views of ours as one: their weighted average, the weight fitted on the validation crystals."""

from __future__ import annotations

from typing import Any

import numpy as np

from peers.learner import Curve
from peers.settings import ENSEMBLE

_WEIGHTS = np.linspace(0.0, 1.0, 101)
_SUMS = ("preparation_seconds", "parameters", "refused")


def average(composition: dict[str, Any], structure: dict[str, Any], validation: np.ndarray, test: np.ndarray) -> Any:
    """The result of the average; it needs no training of its own, and its seconds are those of both views.

    Args:
        composition: Result of the composition view.
        structure: Result of the structure view at the same size.
        validation: True energies of the validation crystals, eV/atom.
        test: True energies of the test crystals, eV/atom.
    """
    curve = Curve(validation, test)
    for here, there, a, b in zip(
        composition["predictions"],
        structure["predictions"],
        composition["curve"],
        structure["curve"],
        strict=False,  # a machine that stalls may skip a point of one of them
    ):
        weight = fit_weight(np.array(here["validation"]), np.array(there["validation"]), validation)
        both = [(1 - weight) * np.array(here[part]) + weight * np.array(there[part]) for part in ("validation", "test")]
        curve.add(a["seconds"] + b["seconds"], both[0], both[1])
    views = (composition, structure)
    return {
        "key": {**structure["key"], "model": ENSEMBLE},
        **{name: sum(view[name] for view in views) for name in _SUMS},
        "curve": curve.points,
        "predictions": curve.predictions,
        "epochs": min(view["epochs"] for view in views),
        "peak_memory_mib": max(view["peak_memory_mib"] for view in views),
        "training_per_second": _one_after_the_other("training_per_second", views),
        "inference_per_second": _one_after_the_other("inference_per_second", views),
    }


def fit_weight(composition: np.ndarray, structure: np.ndarray, true: np.ndarray) -> float:
    """Weight of the structure view with the least MAE; all of shape ``(n,)``."""
    mixed = np.outer(_WEIGHTS, structure) + np.outer(1 - _WEIGHTS, composition)
    return float(_WEIGHTS[np.argmin(np.abs(mixed - true).mean(axis=1))])


def _one_after_the_other(name: str, views: tuple[dict[str, Any], ...]) -> float:
    return float(1 / sum(1 / view[name] for view in views))
