"""Whether an uncertainty can be believed: coverage, calibration, sharpness, and the reliability of P(stable)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lodestone.ensemble.metrics import wilson_proportion
from lodestone.ensemble.predictor import Prediction

LEVELS = tuple(round(0.05 * step, 2) for step in range(1, 20))
_BINS = 10
_IN_DISTRIBUTION = "in_distribution"


def uncertainty_scores(prediction: Prediction, true: np.ndarray) -> dict[str, Any]:
    """How well the predicted errors agree with the true ones.

    Args:
        prediction: Of ``n`` crystals.
        true: Labels, shape ``(n,)``, eV/atom.

    Returns:
        ``coverage`` of the 90 % intervals with its Wilson interval; ``sharpness``, their mean width (eV/atom);
        ``miscalibration_area`` between observed and expected coverage at all levels (0 is perfect, 0.5 the worst);
        ``nll``, the mean negative log-likelihood of the errors under a Laplace distribution of the predicted std
        (nats); ``spearman`` of predicted std and size of the error; ``expected`` and ``observed`` coverage at some
        levels; ``by_reason``, the coverage in distribution and for each reason of being out of it. Numbers are
        ``None`` where there is nothing to measure.
    """
    error = np.abs(true - prediction.mean)
    inside = (prediction.lower <= true) & (true <= prediction.upper)
    observed = central_coverage(prediction.probability_below(true))
    scale = prediction.std * np.sqrt(0.5)
    return {
        "coverage": wilson_proportion(int(inside.sum()), len(true)),
        "sharpness": _mean(prediction.upper - prediction.lower),
        "miscalibration_area": miscalibration_area(observed) if len(true) else None,
        "nll": _mean(np.log(2 * scale) + error / scale),
        "spearman": _spearman(prediction.std, error),
        "expected": list(LEVELS),
        "observed": observed if len(true) else [],
        "by_reason": _by_reason(inside, prediction.out_of_distribution),
    }


def central_coverage(quantile: np.ndarray) -> list[float]:
    """Share of labels within the central interval of each of :data:`LEVELS`.

    Args:
        quantile: Predicted probability of lying below the label, shape ``(n,)``; uniform if calibrated.
    """
    off_center = np.abs(2 * quantile - 1)
    return [float(np.mean(off_center <= level)) if len(quantile) else 0.0 for level in LEVELS]


def miscalibration_area(observed: Sequence[float]) -> float:
    """Area between the curve of observed over expected coverage and the diagonal, by trapezoids."""
    gap = np.abs(np.array([0.0, *observed, 1.0]) - np.array([0.0, *LEVELS, 1.0]))
    return float(np.trapezoid(gap, np.array([0.0, *LEVELS, 1.0])))


def probability_scores(probability: np.ndarray, outcome: np.ndarray) -> dict[str, Any]:
    """How well probabilities agree with observed frequencies.

    Args:
        probability: Predicted, shape ``(n,)``.
        outcome: Whether it happened, shape ``(n,)``.

    Returns:
        ``brier``, the mean squared difference; ``calibration_error`` (expected calibration error): the difference of
        mean probability and rate in ten bins of equal width, averaged over the crystals; ``claimed``, the mean
        probability; and ``bins``, those that are not empty, each with its ``claimed`` and the keys of
        :func:`lodestone.ensemble.metrics.wilson_proportion`.
    """
    place = np.minimum((probability * _BINS).astype(int), _BINS - 1)
    bins = [
        {"claimed": float(probability[mask].mean()), **wilson_proportion(int(outcome[mask].sum()), int(mask.sum()))}
        for mask in (place == number for number in range(_BINS))
        if mask.any()
    ]
    gaps = [row["n"] * abs(row["claimed"] - row["rate"]) for row in bins]
    return {
        "brier": _mean((probability - outcome) ** 2),
        "calibration_error": sum(gaps) / len(probability) if len(probability) else None,
        "claimed": _mean(probability),
        "bins": bins,
    }


def _by_reason(inside: np.ndarray, out_of_distribution: Sequence[str]) -> dict[str, Any]:
    named = [text.split(",") if text else [_IN_DISTRIBUTION] for text in out_of_distribution]
    reasons = sorted({_IN_DISTRIBUTION} | {reason for names in named for reason in names})
    masks = {reason: np.array([reason in names for names in named], dtype=bool) for reason in reasons}
    return {reason: wilson_proportion(int(inside[mask].sum()), int(mask.sum())) for reason, mask in masks.items()}


def _mean(values: np.ndarray) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _spearman(first: np.ndarray, second: np.ndarray) -> float | None:
    """Rank correlation; ``None`` where one of the two does not vary."""
    from scipy.stats import rankdata

    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])
