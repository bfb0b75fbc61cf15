"""Metrics, as small pure functions."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np


def errors(predicted: np.ndarray, true: np.ndarray) -> dict[str, Any]:
    """MAE and RMSE in eV/atom with their n; ``None`` where there is nothing to compare."""
    n = len(true)
    if n == 0:
        return {"mae": None, "rmse": None, "n": 0}
    difference = np.asarray(predicted) - np.asarray(true)
    return {"mae": float(np.abs(difference).mean()), "rmse": float(np.sqrt((difference**2).mean())), "n": n}


def wilson_proportion(hits: int, n: int) -> dict[str, Any]:
    """A rate with its 95 % Wilson score interval, which stays inside 0 to 1 and is honest for small n.

    Returns:
        ``hits``, ``n``, and ``rate``, ``low``, ``high`` (``None`` for n = 0).
    """
    if n == 0:
        return {"hits": 0, "n": 0, "rate": None, "low": None, "high": None}
    z = 1.959964
    rate = hits / n
    center = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    low, high = min(rate, max(0.0, center - half)), max(rate, min(1.0, center + half))  # rounding can cross the rate
    return {"hits": hits, "n": n, "rate": rate, "low": low, "high": high}


def stability_scores(predicted: np.ndarray, true: np.ndarray) -> dict[str, Any]:
    """How well predicted hull distances separate stable from unstable; a low MAE does not suffice (Bartel et al. 2020).

    Args:
        predicted: Predicted energies above hull, shape ``(n,)``, eV/atom.
        true: True ones; stable means ``<= 0``.

    Returns:
        ``n``, ``n_stable``, ``precision``, ``recall``, ``f1`` (0 where undefined).
    """
    predicted_stable, stable = np.asarray(predicted) <= 0, np.asarray(true) <= 0
    hits = int((predicted_stable & stable).sum())
    precision = hits / int(predicted_stable.sum()) if predicted_stable.any() else 0.0
    recall = hits / int(stable.sum()) if stable.any() else 0.0
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    return {"n": len(stable), "n_stable": int(stable.sum()), "precision": precision, "recall": recall, "f1": f1}
