"""The bootstrap by groups against known answers."""

import numpy as np
import pytest

from lodestone.promotion.bootstrap import difference, group_sums, resampled_counts


def test_every_test_set_has_as_many_groups_as_there_are():
    counts = resampled_counts(7, 50, np.random.default_rng(0))
    assert counts.shape == (50, 7)
    assert (counts.sum(axis=1) == 7).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(7), abs=0.5)


def test_sums_over_groups():
    values, groups = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([1, 0, 1])
    assert group_sums(values, groups, 3).tolist() == [[3, 4], [6, 8], [0, 0]]


def mean(sums):
    return sums[..., 0] / sums[..., 1]


def test_the_interval_of_a_mean_is_that_of_the_central_limit():
    values = np.random.default_rng(1).normal(2.0, 1.0, 400)
    sums, counts = np.stack([values, np.ones(400)], axis=1), resampled_counts(400, 4000, np.random.default_rng(2))
    interval = difference(sums, counts, mean, 0.975)
    assert interval.estimate == pytest.approx(values.mean())
    half = 1.96 * values.std() / 20
    assert [interval.low, interval.high] == pytest.approx([values.mean() - half, values.mean() + half], abs=0.01)


def test_values_alike_within_a_group_widen_the_interval():
    of_group = np.random.default_rng(1).normal(size=50)
    values, groups = np.repeat(of_group, 8), np.repeat(np.arange(50), 8)
    rng = np.random.default_rng(0)
    widths = []
    for labels, n in ((groups, 50), (np.arange(400), 400)):
        sums = group_sums(np.stack([values, np.ones(400)], axis=1), labels, n)
        interval = difference(sums, resampled_counts(n, 2000, rng), mean, 0.95)
        widths.append(interval.high - interval.low)
    assert widths[0] / widths[1] == pytest.approx(np.sqrt(8), rel=0.15)


def test_what_is_undefined_everywhere_decides_nothing():
    with np.errstate(invalid="ignore"):
        interval = difference(np.zeros((3, 2)), np.ones((5, 3)), mean, 0.9)
    assert (interval.low, interval.high) == (-np.inf, np.inf)
