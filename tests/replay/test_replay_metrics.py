"""Figures of a replay on cases that can be reckoned by hand."""

import numpy as np
import pytest

from lodestone.replay.metrics import acceleration, acceleration_ceiling, area, mean_interval, share_of_ceiling


@pytest.mark.parametrize(
    ("n_found", "n_verified", "n_stable", "n_pool", "expected"),
    [
        (10, 100, 100, 1000, 1.0),  # as random choice does
        (50, 100, 100, 1000, 5.0),  # random needs 500 verifications for 50 finds, and 100 were made
        (100, 100, 100, 1000, 10.0),
        (0, 100, 100, 1000, 0.0),
        (4, 10, 5, 10, 0.8),  # worse than random
    ],
)
def test_acceleration(n_found, n_verified, n_stable, n_pool, expected):
    assert acceleration(n_found, n_verified, n_stable, n_pool) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("n_verified", "n_stable", "n_pool", "expected"),
    [(100, 100, 1000, 10.0), (50, 100, 1000, 10.0), (200, 100, 1000, 5.0), (1000, 100, 1000, 1.0)],
)
def test_ceiling_of_the_acceleration(n_verified, n_stable, n_pool, expected):
    assert acceleration_ceiling(n_verified, n_stable, n_pool) == pytest.approx(expected)


def test_share_of_ceiling_counts_no_more_than_a_perfect_choice_could_find():
    assert share_of_ceiling(48, 100, 100) == 0.48
    assert share_of_ceiling(20, 20, 100) == 1.0  # the budget is what limits
    assert share_of_ceiling(20, 500, 40) == 0.5  # the pool is


def test_area_of_perfect_worst_and_average_choice():
    first, last = np.arange(10) < 3, np.arange(10) >= 7
    assert area(first, 3, 10) == pytest.approx(1.0)
    assert area(last, 3, 10) == pytest.approx(-1.0)
    assert area(first[:4], 3, 10) == pytest.approx(1.0)
    orders = np.random.default_rng(0).permuted(np.tile(first, (4000, 1)), axis=1)
    assert np.mean([area(order[:4], 3, 10) for order in orders]) == pytest.approx(0, abs=0.03)


def test_area_by_hand():
    """Pool of 4, 2 stable, 2 verified: the curve is 0, 1; random has 0.5, 1; a perfect choice 1, 2."""
    assert area(np.array([False, True]), 2, 4) == pytest.approx((0 - 0.5 + 1 - 1) / (0.5 + 1))
    assert area(np.array([True, False]), 2, 4) == pytest.approx((1 - 0.5 + 1 - 1) / (0.5 + 1))


def test_area_of_a_pool_in_which_every_choice_is_perfect():
    assert area(np.ones(3, dtype=bool), 5, 5) == 0.0


def test_interval_over_seeds_is_that_of_student():
    found = mean_interval([1.0, 2.0, 3.0])
    assert found["mean"] == 2.0
    assert found["n"] == 3
    half = 4.302653 / np.sqrt(3)  # t of 0.975 with two degrees of freedom; the standard deviation is 1
    assert (found["low"], found["high"]) == pytest.approx((2 - half, 2 + half), abs=1e-5)


def test_one_seed_has_no_interval():
    assert mean_interval([4.0]) == {"mean": 4.0, "low": None, "high": None, "n": 1}
