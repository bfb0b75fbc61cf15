import numpy as np
import pytest

from lodestone.ensemble.metrics import errors, stability_scores, wilson_proportion


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [  # Newcombe, Statist. Med. 17, 857 (1998), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 1 - 0.1611, 1.0),
    ],
)
def test_wilson_interval_agrees_with_newcombes_table(hits, n, low, high):
    found = wilson_proportion(hits, n)
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=5e-5)
    assert (found["hits"], found["n"], found["rate"]) == (hits, n, hits / n)


def test_hit_rate_of_nothing_is_unknown():
    assert wilson_proportion(0, 0) == {"hits": 0, "n": 0, "rate": None, "low": None, "high": None}


def test_intervals_stay_inside_zero_to_one_and_hold_the_rate():
    for n in (1, 2, 7, 40, 1000):
        for hits in {0, 1, n // 2, n}:
            found = wilson_proportion(hits, n)
            assert 0 <= found["low"] <= found["rate"] <= found["high"] <= 1, (hits, n)


def test_errors_by_hand():
    found = errors(np.array([1.0, 2.0, -1.0]), np.array([1.0, 0.0, 0.0]))
    assert found == pytest.approx({"mae": 1.0, "rmse": (5 / 3) ** 0.5, "n": 3})
    assert errors(np.array([]), np.array([])) == {"mae": None, "rmse": None, "n": 0}


def test_stability_scores_by_hand():
    predicted = np.array([-0.1, 0.0, -0.2, 0.1, 0.3, 0.2])
    true = np.array([-0.1, 0.05, 0.0, -0.3, 0.1, 0.2])
    found = stability_scores(predicted, true)  # three predicted stable, three stable, two of them found
    assert found == pytest.approx({"n": 6, "n_stable": 3, "precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3})


@pytest.mark.parametrize(
    ("predicted", "true", "expected"),
    [
        ([1.0, 1.0], [-1.0, 1.0], (0.0, 0.0, 0.0)),
        ([-1.0, 1.0], [1.0, 1.0], (0.0, 0.0, 0.0)),
        ([-1.0, 1.0], [1.0, -1.0], (0.0, 0.0, 0.0)),
        ([-1.0, -1.0], [-1.0, 1.0], (0.5, 1.0, 2 / 3)),
        ([], [], (0.0, 0.0, 0.0)),
    ],
)
def test_stability_scores_where_little_is_found(predicted, true, expected):
    found = stability_scores(np.array(predicted), np.array(true))
    assert (found["precision"], found["recall"], found["f1"]) == pytest.approx(expected)
