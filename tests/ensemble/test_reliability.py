import numpy as np
import pytest
from scipy.stats import laplace, norm, spearmanr

from lodestone.ensemble.calibration import Calibration
from lodestone.ensemble.predictor import Prediction
from lodestone.ensemble.reliability import (
    LEVELS,
    central_coverage,
    miscalibration_area,
    probability_scores,
    uncertainty_scores,
)


def predicted(mean, std, out_of_distribution=None):
    zero = np.zeros(len(mean))
    return Prediction(
        mean=mean,
        std=std,
        views={"structure": zero},
        spread=std,
        weights={"structure": np.ones_like(mean)},
        out_of_distribution=out_of_distribution or [""] * len(mean),
        calibration=Calibration.none(),
    )


def test_a_normal_prediction_of_normal_errors_is_calibrated_and_an_overconfident_one_is_not():
    generator = np.random.default_rng(0)
    std = generator.uniform(0.05, 0.4, 50_000)
    true = generator.normal(0, std)
    good, bold = (uncertainty_scores(predicted(0 * std, factor * std), true) for factor in (1, 0.5))
    assert good["coverage"]["rate"] == pytest.approx(0.9, abs=0.005)
    assert good["miscalibration_area"] < 0.006
    assert good["observed"] == pytest.approx(LEVELS, abs=0.01)
    assert bold["coverage"]["rate"] == pytest.approx(norm.cdf(0.8224) * 2 - 1, abs=0.01)
    assert bold["miscalibration_area"] > 0.15
    assert bold["sharpness"] == pytest.approx(0.5 * good["sharpness"])
    assert good["nll"] < bold["nll"]


def test_scores_by_hand():
    mean, std, true = np.zeros(3), np.array([0.1, 0.2, 0.4]), np.array([0.05, -0.3, 0.7])
    found = uncertainty_scores(predicted(mean, std, ["", "pair", "pair,latent"]), true)
    assert found["coverage"]["hits"] == 2  # 1.645 std: 0.16, 0.33, 0.66
    assert {name: (row["hits"], row["n"]) for name, row in found["by_reason"].items()} == {
        "in_distribution": (1, 1),
        "pair": (1, 2),
        "latent": (0, 1),
    }
    assert found["sharpness"] == pytest.approx(2 * 1.6449 * 0.7 / 3, rel=1e-4)
    assert found["nll"] == pytest.approx(-laplace.logpdf(true, scale=std / np.sqrt(2)).mean())
    assert found["spearman"] == pytest.approx(1.0)


def test_rank_correlation_agrees_with_scipy_ties_included():
    generator = np.random.default_rng(1)
    std, true = generator.integers(1, 5, 60) / 10, generator.normal(0, 1, 60)
    found = uncertainty_scores(predicted(np.zeros(60), std), true)
    assert found["spearman"] == pytest.approx(spearmanr(std, np.abs(true)).statistic)
    assert uncertainty_scores(predicted(np.zeros(60), np.full(60, 0.1)), true)["spearman"] is None


def test_miscalibration_area_of_known_curves():
    assert miscalibration_area(LEVELS) == 0
    assert miscalibration_area([0.0] * len(LEVELS)) == pytest.approx(0.475)  # a half, but for the last trapezoid
    assert miscalibration_area([level**2 for level in LEVELS]) == pytest.approx(1 / 6, abs=1e-3)


def test_central_coverage_counts_from_the_middle():
    quantiles = np.array([0.5, 0.4, 0.6, 0.05, 0.99])
    found = dict(zip(LEVELS, central_coverage(quantiles), strict=True))
    assert (found[0.05], found[0.25], found[0.9], found[0.95]) == pytest.approx((0.2, 0.6, 0.8, 0.8))


def test_probabilities_by_hand():
    found = probability_scores(np.array([0.05, 0.05, 0.55, 0.55, 1.0]), np.array([False, False, True, False, True]))
    assert found["brier"] == pytest.approx((2 * 0.0025 + 0.2025 + 0.3025) / 5)
    assert found["calibration_error"] == pytest.approx((2 * 0.05 + 2 * 0.05 + 0) / 5)
    assert found["claimed"] == pytest.approx(0.44)
    assert [(row["n"], row["hits"]) for row in found["bins"]] == [(2, 0), (2, 1), (1, 1)]
    assert [row["claimed"] for row in found["bins"]] == pytest.approx([0.05, 0.55, 1.0])


def test_nothing_to_measure():
    empty = np.empty(0)
    found = uncertainty_scores(predicted(empty, empty), empty)
    assert (found["coverage"]["rate"], found["nll"], found["miscalibration_area"], found["observed"]) == (
        None,
        None,
        None,
        [],
    )
    assert probability_scores(empty, empty.astype(bool))["calibration_error"] is None
