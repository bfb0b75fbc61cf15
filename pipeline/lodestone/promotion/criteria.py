"""What a candidate must hold against the champion: four criteria with their figures and a sentence each."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from lodestone.config.promotion import PromotionParams
from lodestone.ensemble.metrics import wilson_proportion
from lodestone.promotion.bootstrap import Difference, difference, group_sums, resampled_counts
from lodestone.promotion.frozen_test import numbers_of

_ENERGY = "formation_energy_per_atom"


@dataclass(frozen=True)
class Criterion:
    """One thing that a candidate must hold.

    Attributes:
        name: ``error``, ``error_unrelaxed``, ``f1`` or ``coverage``.
        holds: Whether it does.
        reason: One sentence with the figures.
        figures: The figures by name.
    """

    name: str
    holds: bool
    reason: str
    figures: dict[str, Any]


def criteria_of(table: pl.DataFrame, params: PromotionParams, seed: int) -> tuple[Criterion, ...]:
    """The criteria on a common test set.

    Args:
        table: See :class:`lodestone.promotion.frozen_test.CommonTest`.
        params: Thresholds.
        seed: Of the drawn test sets.
    """
    numbers, n_systems = numbers_of(table["chemsys"])
    counts = resampled_counts(n_systems, params.resamples, np.random.default_rng(seed))
    relaxed = (table["input_structure"] == "relaxed").to_numpy()

    def errors(rows: np.ndarray) -> Difference:
        sums = group_sums(_absolute_errors(table)[rows], numbers[rows], n_systems)
        return difference(sums, counts, _mae_difference, params.confidence)

    hits = group_sums(_stability_counts(table)[relaxed], numbers[relaxed], n_systems)
    return (
        _error(table.filter(relaxed), errors(relaxed), params),
        _error_unrelaxed(table.filter(~relaxed), errors(~relaxed), params),
        _f1(hits.sum(axis=0), difference(hits, counts, _f1_difference, params.confidence), params),
        _coverage(table.filter(relaxed), params),
    )


def _error(rows: pl.DataFrame, gain: Difference, params: PromotionParams) -> Criterion:
    candidate, champion = _maes(rows)
    better = gain.low > params.min_gain
    verdict = "better beyond noise" if better else "not better beyond noise"
    reason = f"MAE {candidate:.4f} eV/atom against the champion's {champion:.4f}: {verdict}, smaller by {gain}"
    figures = {"candidate": candidate, "champion": champion, "gain": asdict(gain), "n": len(rows)}
    return Criterion(name="error", holds=better, reason=reason, figures=figures)


def _error_unrelaxed(rows: pl.DataFrame, gain: Difference, params: PromotionParams) -> Criterion:
    if rows.is_empty():
        reason = "no test crystal has an unrelaxed structure"
        return Criterion(name="error_unrelaxed", holds=True, reason=reason, figures={"n": 0})
    candidate, champion = _maes(rows)
    holds = gain.high >= 0 and gain.estimate >= -params.max_unrelaxed_loss
    verdict = "not worse" if holds else "worse"
    reason = f"MAE on unrelaxed structures {candidate:.4f} eV/atom against {champion:.4f}: {verdict}, smaller by {gain}"
    figures = {"candidate": candidate, "champion": champion, "gain": asdict(gain), "n": len(rows)}
    return Criterion(name="error_unrelaxed", holds=holds, reason=reason, figures=figures)


def _f1(hits: np.ndarray, gain: Difference, params: PromotionParams) -> Criterion:
    candidate, champion = (float(value) for value in (_f1_of(hits[None, :3])[0], _f1_of(hits[None, 3:])[0]))
    holds = gain.high >= 0 and gain.estimate >= -params.max_f1_loss
    verdict = "not worse" if holds else "worse"
    reason = f"F1 of stability {candidate:.3f} against {champion:.3f}: {verdict}, larger by {gain}"
    figures = {"candidate": candidate, "champion": champion, "gain": asdict(gain), "n_stable": int(hits[0] + hits[2])}
    return Criterion(name="f1", holds=holds, reason=reason, figures=figures)


def _coverage(rows: pl.DataFrame, params: PromotionParams) -> Criterion:
    inside = rows.select(pl.col(_ENERGY).is_between(f"{_ENERGY}_lower", f"{_ENERGY}_upper")).to_series()
    coverage, (low, high) = wilson_proportion(int(inside.sum()), len(inside)), params.coverage
    holds = coverage["high"] >= low and coverage["low"] <= high
    verdict = "within" if holds else "outside"
    share, ends = f"{coverage['rate']:.1%}", f"[{coverage['low']:.1%}, {coverage['high']:.1%}]"
    reason = f"90 % intervals cover {share} {ends}: {verdict} {low:.0%} to {high:.0%}"
    return Criterion(name="coverage", holds=holds, reason=reason, figures=coverage)


def _absolute_errors(table: pl.DataFrame) -> np.ndarray:
    """Of the candidate, of the champion, and ones to count rows with; shape ``(n, 3)``."""
    true = table[_ENERGY].to_numpy()
    both = [np.abs(table[f"{_ENERGY}_pred{ending}"].to_numpy() - true) for ending in ("", "_champion")]
    return np.stack([*both, np.ones(len(true))], axis=1)


def _mae_difference(sums: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        difference_of_means: np.ndarray = (sums[..., 1] - sums[..., 0]) / sums[..., 2]
    return difference_of_means


def _stability_counts(table: pl.DataFrame) -> np.ndarray:
    """True positives, false positives and false negatives of the candidate and of the champion, shape ``(n, 6)``."""
    floor = table["hull_energy_per_atom"].to_numpy()
    stable = table[_ENERGY].to_numpy() <= floor
    columns = []
    for ending in ("", "_champion"):
        predicted = table[f"{_ENERGY}_pred{ending}"].to_numpy() <= floor
        columns += [predicted & stable, predicted & ~stable, ~predicted & stable]
    return np.stack(columns, axis=1).astype(np.float64)


def _f1_of(sums: np.ndarray) -> np.ndarray:
    """F1 from sums of true positives, false positives and false negatives; 0 where nothing is or seems stable."""
    true, wrong = sums[..., 0], sums[..., 1] + sums[..., 2]
    score: np.ndarray = 2 * true / np.maximum(2 * true + wrong, 1)
    return score


def _f1_difference(sums: np.ndarray) -> np.ndarray:
    gain: np.ndarray = _f1_of(sums[..., :3]) - _f1_of(sums[..., 3:])
    return gain


def _maes(rows: pl.DataFrame) -> tuple[float, float]:
    candidate, champion, _ = _absolute_errors(rows).mean(axis=0)
    return float(candidate), float(champion)
