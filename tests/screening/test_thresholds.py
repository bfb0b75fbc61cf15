"""Thresholds of a cascade: they keep the best of a sample, no single one sets them, and the recall is measured."""

from dataclasses import replace

import numpy as np
import pytest

from lodestone.runtime.seeds import child_generator
from lodestone.screening.cascade import Cascade
from lodestone.screening.thresholds import Sample, fitted


def _sample(n: int) -> Sample:
    rng = child_generator(1, "sample")
    distance = rng.normal(0.2, 0.1, n)
    noisy = {name: distance + rng.normal(0, size, n) for name, size in (("composition", 0.05), ("structure", 0.02))}
    return Sample(noisy, 1 / (1 + np.exp(distance / 0.03)))


def test_thresholds_keep_the_best_and_recall_is_measured_on_others():
    sample = _sample(20_000)
    cascade, measured = fitted(sample, best=0.02)
    assert measured["recall"]["n"] == 400
    assert 0.99 <= measured["recall"]["rate"] <= 1
    assert measured["passing"] < 0.2
    best = sample.probability >= np.quantile(sample.probability, 0.98)
    assert sample.passing(cascade.thresholds)[best].sum() >= 398  # two may be given up
    assert cascade.thresholds["structure"] < cascade.thresholds["composition"]


def test_where_nothing_is_likely_stable_the_best_few_still_set_the_thresholds():
    sample = _sample(1_000)
    hopeless = Sample(sample.steps, 1e-3 * sample.probability)
    cascade, measured = fitted(hopeless, best=0.01)
    assert measured["recall"]["n"] == 40
    assert all(np.isfinite(value) for value in cascade.thresholds.values())


def test_an_ensemble_without_these_views_has_no_steps():
    cascade, measured = fitted(Sample({}, np.linspace(0, 1, 100)), best=0.1)
    assert cascade == Cascade({})
    assert measured["passing"] == 1.0
    assert measured["recall"]["rate"] == 1.0


def test_one_outlier_among_many_does_not_set_a_threshold():
    sample = _sample(20_000)
    usual, measured = fitted(sample, best=0.02)
    distances = {name: distance.copy() for name, distance in sample.steps.items()}
    distances["composition"][int(np.argmax(sample.probability))] = 5.0  # eV/atom, where most lie below 0.2
    cascade, with_it = fitted(replace(sample, steps=distances), best=0.02)
    assert cascade.thresholds["composition"] < usual.thresholds["composition"] + 0.05
    assert with_it["passing"] < measured["passing"] + 0.05
    assert with_it["recall"]["rate"] >= 0.99


def test_among_few_every_one_counts():
    sample = _sample(5_000)
    sample.steps["composition"][int(np.argmax(sample.probability))] = 5.0
    cascade, measured = fitted(sample, best=0.02)
    assert measured["recall"]["n"] == 100
    assert cascade.thresholds["composition"] > 5


def test_given_up_is_who_would_let_the_most_others_pass():
    wanted = np.array([True, True, True, False, False, False, False])
    a, b = np.array([0.1, 0.9, 0.2, 0.8, 0.7, 0.6, 0.95]), np.array([0.1, 0.2, 0.9, 0.3, 0.3, 0.3, 0.95])
    sample = Sample({"a": a, "b": b}, np.ones(7))
    assert sample.thresholds(wanted) == {"a": 0.9, "b": 0.9}
    assert sample.thresholds(wanted, 1) == {"a": 0.2, "b": 0.9}  # without the third, three others would still pass
    assert sample.thresholds(wanted, 2) == {"a": 0.1, "b": 0.1}


@pytest.mark.parametrize(
    ("outlier", "margin"), [(0.005, 0.01), (0.015, 0.02), (0.025, 0.03), (0.04, 0.05), (0.07, 0.1), (0.5, 0.1)]
)
def test_the_margin_grows_until_one_in_a_hundred_is_lost(outlier, margin):
    distance, probability = np.zeros(1000), np.zeros(1000)
    probability[:100] = 1.0
    distance[[1, 3]] = outlier  # of the best, in one half only: what the other half lets pass ends at 0
    _, measured = fitted(Sample({"structure": distance}, probability), best=0.1)
    assert measured["margin"] == margin
    recall = measured["recall"]
    assert (recall["hits"], recall["n"]) == (100 if outlier <= margin else 98, 100)
