import numpy as np
import polars as pl
import pytest

from peers.ensemble import average, fit_weight
from peers.scores import score, stability
from resampling import interval, mae_interval, resampled_sums


def test_daf_is_precision_over_prevalence():
    true = np.array([0.0, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    predicted = np.array([-0.1, 0.2, -0.1, 0.0, 0.3, 0.4, 0.5, 0.6])  # three called stable, one of them rightly
    found = stability(predicted, true)
    assert (found["precision"], found["recall"]) == pytest.approx((1 / 3, 1 / 2))
    assert (found["n_stable"], found["n_called_stable"], found["n"]) == (2, 3, 8)
    assert found["daf"] == pytest.approx((1 / 3) / (2 / 8))


def test_the_error_of_the_formation_energy_moves_the_hull_distance():
    test = pl.DataFrame(
        {
            "chemsys": ["A", "B", "C"],
            "formation_energy_per_atom": [-1.0, 0.5, 0.0],
            "energy_above_hull": [0.0, 0.2, 0.0],
        }
    )
    found = score(np.array([-0.9, 0.2, -0.05]), test)
    assert (found["mae"], found["n"]) == (pytest.approx(0.15), 3)
    assert (found["precision"], found["recall"]) == (0.5, 0.5)  # B is called stable, A no longer, C still


def test_crystals_of_one_system_are_resampled_together():
    """With all errors in one system, that system is drawn or not; taken by crystal the interval is much narrower."""
    errors = np.r_[np.ones(20), np.zeros(180)]
    by_system = mae_interval(errors, ["A"] * 20 + [f"B{i}" for i in range(180)], seed=0)
    by_crystal = mae_interval(errors, [f"C{i}" for i in range(200)], seed=0)
    assert by_system[0] == 0.0
    assert by_system[1] > 0.25 > by_crystal[1] > 0.1 > by_crystal[0] > 0.05


def test_two_models_are_compared_in_the_same_samples():
    """The better one is right wherever the other is, and once more: never behind, whatever is drawn."""
    systems = [f"S{i % 30}" for i in range(300)]
    good, better = (np.arange(300) % step > 0 for step in (3, 6))
    right, fewer, counts = resampled_sums(np.stack([better, good, np.ones(300)]), systems, 0)
    differences = right / counts - fewer / counts
    assert (differences >= 0).all()
    assert interval(differences)[0] < better.mean() - good.mean() < interval(differences)[1]


def view(predictions: list[float], seconds: float, speed: float) -> dict:
    return {
        "key": {"model": "ours-structure", "size": 10},
        "curve": [{"seconds": seconds}],
        "predictions": [{"validation": predictions, "test": predictions}],
        "training_per_second": speed,
        "inference_per_second": speed,
        **dict.fromkeys(("preparation_seconds", "parameters", "refused", "epochs", "peak_memory_mib"), 7),
    }


def test_the_average_is_fitted_on_validation_and_costs_both_views():
    true = np.array([1.0, 2.0, 3.0])
    composition, structure = true + np.array([0.3, -0.3, 0.3]), true - np.array([0.1, -0.1, 0.1])
    assert fit_weight(composition, structure, true) == pytest.approx(0.75)
    views = view(composition.tolist(), 30.0, 100.0), view(structure.tolist(), 20.0, 300.0)
    found = average(*views, validation=true, test=true + 5)
    assert found["predictions"][-1]["test"] == pytest.approx(true)  # by the validation labels; the others are 5 away
    assert found["curve"][-1]["seconds"] == 50.0
    assert found["training_per_second"] == pytest.approx(75.0)
    assert found["parameters"] == 14
