"""Intervals cover what they promise, on crystals that calibrated nothing; probabilities come true as often as said."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from lodestone.ensemble.calibration import ENOUGH, INFLATION, Calibration, conformal_quantile, fit_std
from lodestone.errors import LodestoneError


def heavy_tailed(n, seed, floor=0.02, scale=1.5):
    """Errors whose size follows the spread, but for a floor; tails like those of Student's t."""
    generator = np.random.default_rng(seed)
    spread = np.exp(generator.normal(-3.5, 0.8, n))
    return np.sqrt(floor**2 + (scale * spread) ** 2) * generator.standard_t(4, n) / math.sqrt(2), spread


def names(n):
    return [str(number) for number in range(n)]


def covered(calibration, error, std):
    low, high = calibration.interval(np.zeros(len(error)), std)
    return np.mean((low <= error) & (error <= high))


def test_the_quantile_is_the_usual_conformal_one_where_groups_are_single_crystals():
    score = np.random.default_rng(0).random(57)
    place = math.ceil((57 + 1) * 0.9)
    assert conformal_quantile(score, np.array(names(57))) == np.sort(score)[place - 1]
    assert conformal_quantile(np.arange(9.0), np.array(names(9))) == 8.0
    assert conformal_quantile(np.arange(5.0), np.array(names(5))) == 4.0  # too few for 90 %: the largest there is


def test_a_group_has_one_vote_however_many_crystals_it_has():
    few, many = np.linspace(0, 1, 99), np.full(1000, 5.0)
    score, groups = np.concatenate([few, many]), np.array([*names(99), *["crowd"] * 1000])
    assert conformal_quantile(score, groups) <= 1.0
    assert conformal_quantile(score, np.array(names(len(score)))) == 5.0


def test_intervals_cover_ninety_percent_of_new_crystals_over_many_calibrations():
    rates = []
    for seed in range(60):
        error, spread = heavy_tailed(60, seed)
        calibration = Calibration.fit(error, spread, names(60), [""] * 60)
        new, its_spread = heavy_tailed(2000, 1000 + seed)
        rates.append(covered(calibration, new, calibration.std(its_spread, [""] * 2000)))
    assert np.mean(rates) == pytest.approx(0.9, abs=0.012)


def test_new_groups_are_covered_although_crystals_of_a_group_err_together():
    def grouped(n, seed):
        generator = np.random.default_rng(seed)
        sizes = generator.integers(1, 30, n)
        return np.repeat(generator.normal(0, 0.1, n), sizes), np.repeat(names(n), sizes)

    rates = []
    for seed in range(60):
        error, groups = grouped(25, seed)
        calibration = Calibration.fit(error, np.full(len(error), 0.02), groups.tolist(), [""] * len(error))
        new, _ = grouped(400, 1000 + seed)
        rates.append(covered(calibration, new, calibration.std(np.full(len(new), 0.02), [""] * len(new))))
    assert np.mean(rates) > 0.88


def test_floor_and_scale_are_found():
    error, spread = heavy_tailed(20_000, 0, floor=0.03, scale=2.0)
    floor, scale = fit_std(error, spread)
    assert floor == pytest.approx(0.03, rel=0.25)
    assert scale / floor == pytest.approx(2.0 / 0.03, rel=0.15)
    assert fit_std(np.full(50, 0.1), np.zeros(50))[0] == pytest.approx(0.1 * math.sqrt(2))  # members that all agree
    assert fit_std(np.zeros(50), np.zeros(50))[0] > 0


def test_probabilities_come_true_as_often_as_they_say_where_normal_ones_do_not():
    error, spread = heavy_tailed(4000, 1)
    calibration = Calibration.fit(error, spread, names(4000), [""] * 4000)
    new, its_spread = heavy_tailed(100_000, 2)
    std = calibration.std(its_spread, [""] * len(new))
    for level in (0.02, 0.1, 0.3, 0.5, 0.8, 0.97):
        below = calibration.probability_below(new, np.zeros(len(new)), std) <= level
        assert np.mean(below) == pytest.approx(level, abs=0.015)
    normal = norm.cdf(new / (std * (new / std).std()))
    assert abs(np.mean(normal <= 0.3) - 0.3) > 0.02


def test_probabilities_rise_with_the_energy_and_never_reach_certainty():
    error, spread = heavy_tailed(40, 3)
    calibration = Calibration.fit(error, spread, names(40), [""] * 40)
    energy = np.linspace(-1, 1, 200_001)
    found = calibration.probability_below(energy, np.zeros(len(energy)), np.full(len(energy), 0.1))
    assert (np.diff(found) >= 0).all()
    assert np.abs(np.diff(found)).max() < 0.005  # no jumps, as a distribution of 40 errors would have
    assert 0 < found[0] < 0.001
    assert 0.999 < found[-1] < 1


def test_uncalibrated_is_the_normal_distribution():
    energy = np.array([-0.196, -0.05, 0.0, 0.1])
    found = Calibration.none().probability_below(energy, np.zeros(4), np.full(4, 0.1))
    assert found == pytest.approx(norm.cdf(energy / 0.1), abs=2e-3)


def test_flagged_crystals_are_widened_by_what_validation_shows():
    error, spread = heavy_tailed(2000, 4)
    flagged = np.arange(2000) % 4 == 0
    error = np.where(flagged, 3 * error, error)
    told = ["system" if one else "" for one in flagged]
    calibration = Calibration.fit(error, spread, names(2000), told)
    assert calibration.inflation["system"] == pytest.approx(3, rel=0.25)
    new, its_spread = heavy_tailed(20_000, 5)
    for factor, reason in ((1, ""), (3, "system")):
        std = calibration.std(its_spread, [reason] * 20_000)
        assert covered(calibration, factor * new, std) == pytest.approx(0.9, abs=0.025)
    assert calibration.inflation["element"] == INFLATION["element"]  # never seen in validation


def test_too_few_flagged_crystals_leave_the_factor_as_it_was_measured():
    error, spread = heavy_tailed(500, 6)
    told = ["pair"] * (ENOUGH - 1) + [""] * (501 - ENOUGH)
    calibration = Calibration.fit(error, spread, names(500), told)
    assert calibration.inflation["pair"] == INFLATION["pair"] > 1
    std = calibration.std(np.full(3, 0.05), ["", "pair", "pair,latent"])
    assert std[1:] / std[0] == pytest.approx([INFLATION["pair"], max(INFLATION["pair"], INFLATION["latent"])])


def test_a_reason_that_makes_no_difference_never_narrows():
    error, spread = heavy_tailed(400, 7)
    told = ["latent" if number < 100 else "" for number in range(400)]
    calmer = np.where(np.arange(400) < 100, error / 10, error)
    assert Calibration.fit(calmer, spread, names(400), told).inflation["latent"] == 1.0


def test_where_all_is_new_the_novel_crystals_calibrate():
    """As where the split goes by chemical system."""
    error, spread = heavy_tailed(500, 8)
    all_new = Calibration.fit(error, spread, names(500), ["system"] * 500)
    none_new = Calibration.fit(error, spread, names(500), [""] * 500)
    assert all_new.inflation["system"] == 1.0
    assert all_new.quantile == none_new.quantile


def test_a_handful_of_crystals_is_enough_and_none_is_not():
    calibration = Calibration.fit(np.array([0.1, -0.2]), np.array([0.05, 0.0]), ["a", "b"], ["", ""])
    assert np.isfinite(calibration.std(np.zeros(1), [""])).all()
    assert covered(calibration, np.array([0.1, -0.2]), calibration.std(np.array([0.05, 0.0]), ["", ""])) == 1.0
    with pytest.raises(LodestoneError, match=r"no crystal is in the validation set(.|\n)*split\.validation"):
        Calibration.fit(np.empty(0), np.empty(0), [], [])


def test_as_dict_and_back():
    error, spread = heavy_tailed(30, 9)
    calibration = Calibration.fit(error, spread, names(30), [""] * 30)
    assert Calibration.from_dict(calibration.as_dict()) == calibration
    assert replace(calibration, floor=1.0) != calibration
