"""How good predictions are: errors with an interval, and stable told from unstable."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from lodestone.ensemble.metrics import errors, stability_scores
from resampling import mae_interval


def score(predicted: np.ndarray, test: pl.DataFrame, seed: int = 0) -> dict[str, Any]:
    """All scores of one model.

    Args:
        predicted: Formation energies, shape ``(n,)``, eV/atom.
        test: The crystals in the same order: chemsys, formation_energy_per_atom, energy_above_hull.
        seed: Root seed of the resampling.

    Returns:
        ``mae``, ``mae_low``, ``mae_high``, ``rmse`` (eV/atom), ``n``; ``f1``, ``precision``, ``recall``, ``daf``,
        ``prevalence``, ``n_stable``, ``n_called_stable``.
    """
    true = test["formation_energy_per_atom"].to_numpy()
    difference = predicted - true
    low, high = mae_interval(np.abs(difference), test["chemsys"].to_list(), seed)
    return {
        **errors(predicted, true),
        "mae_low": low,
        "mae_high": high,
        **stability(test["energy_above_hull"].to_numpy() + difference, test["energy_above_hull"].to_numpy()),
    }


def stability(predicted: np.ndarray, true: np.ndarray) -> dict[str, Any]:
    """Scores of the class "on the hull", and DAF: how many times more often than by chance a crystal called stable is.

    Args:
        predicted: Predicted energies above hull, shape ``(n,)``, eV/atom. The hull is that of the true energies, so
            these are the true ones plus the errors of the formation energies.
        true: True ones; stable means ``<= 0``.
    """
    scores = stability_scores(predicted, true)
    prevalence = scores["n_stable"] / scores["n"]
    daf = scores["precision"] / prevalence if prevalence else 0.0
    return scores | {"prevalence": prevalence, "daf": daf, "n_called_stable": int((predicted <= 0).sum())}
