import numpy as np
import pytest

from lodestone.errors import LodestoneError
from lodestone.models.registry import make_network
from lodestone.runtime.parallel import process_all
from lodestone.training.data import LabelledCrystals, TrainingData
from lodestone.training.fit import fit_member

BOTH = pytest.mark.parametrize("view", ["composition", "structure"])


def as_bytes(weights):
    return {name: value.tobytes() for name, value in weights.items()}


@BOTH
def test_the_loss_falls(view, fitted):
    history = fitted[view].history
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert set(history[0]) == {"epoch", "learning_rate", "train_mae", "validation_mae"}
    assert history[-1]["train_mae"] < 0.98 * history[0]["train_mae"]


@pytest.fixture(scope="module")
def longer(task, tiny):
    """One member of each view that has learned for long enough to know of other crystals, too."""
    params = {view: section.model_copy(update={"epochs": 8}) for view, section in tiny.items()}
    return {view: fit_member(task(view, params=params[view])) for view in params}


@BOTH
def test_what_is_learned_holds_for_other_crystals(view, longer, task):
    known = task(view).data.validation
    nothing_learned = float(known.target.abs().mean()) * task(view).data.scale
    assert longer[view].history[-1]["validation_mae"] < 0.95 * nothing_learned


@BOTH
def test_what_is_learned_is_what_the_sum_over_elements_leaves(view, fitted, labelled, baseline):
    train = labelled[0]
    left = np.abs(train.energies - train.fractions() @ baseline.coefficients).mean()
    assert 0.1 * left < fitted[view].history[-1]["train_mae"] < 0.99 * left


def test_the_rate_warms_up_and_falls_to_nothing(fitted):
    rates = [row["learning_rate"] for row in fitted["structure"].history]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0, abs=1e-9)


@pytest.mark.slow
def test_two_processes_give_the_same_bytes_and_another_seed_gives_others(task, monkeypatch, fitted):
    """Each call starts a process of its own; both views are fitted in it."""
    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    tasks = {view: task(view) for view in ("composition", "structure")}
    first, second = (dict(process_all(fit_member, order)) for order in (tasks, dict(reversed(tasks.items()))))
    for view in tasks:
        assert as_bytes(first[view].weights) == as_bytes(second[view].weights)
        assert first[view].history == second[view].history
        other = fit_member(task(view, seed=8))
        assert as_bytes(other.weights) != as_bytes(fitted[view].weights)


@BOTH
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_labels_that_are_no_numbers_are_named(view, value, tiny, labelled, baseline):
    good, validation = labelled
    broken = LabelledCrystals(good.crystals, np.where(np.arange(len(good.energies)) == 3, value, good.energies))
    formula = "".join(good.crystals[3].species)
    with pytest.raises(LodestoneError, match=rf"{formula} \(row 3 of the part 'train'\) is {value}"):
        TrainingData.prepare(view, tiny[view], broken, validation, baseline)
    with pytest.raises(LodestoneError, match="row 3 of the part 'validation'"):
        TrainingData.prepare(view, tiny[view], good, broken, baseline)


@BOTH
def test_a_huge_learning_rate_is_named(view, task, tiny):
    params = tiny[view].model_copy(update={"learning_rate": 1e30})
    with pytest.raises(
        LodestoneError, match=rf"{view} member 0 diverged .* learning_rate 1e\+30(.|\n)*lower {view}\.learning_rate"
    ):
        fit_member(task(view, params=params))


@BOTH
def test_a_step_that_diverges_last_is_noticed_too(view, task, tiny):
    """One epoch of one batch: the only loss that is computed in training is still a number."""
    params = tiny[view].model_copy(update={"learning_rate": 1e30, "epochs": 1, "batch_size": 1000})
    with pytest.raises(
        LodestoneError, match=rf"{view} member 0 diverged .* learning_rate 1e\+30(.|\n)*lower {view}\.learning_rate"
    ):
        fit_member(task(view, params=params))


@BOTH
def test_fine_tuning_goes_on_from_the_weights_it_is_given(view, task, fitted, tiny):
    gentle = tiny[view].model_copy(update={"fine_tune_learning_rate": 1e-12})
    tuned = fit_member(task(view, params=gentle, start=fitted[view].weights, seed=99))
    assert [row["epoch"] for row in tuned.history] == [1, 2]
    assert tuned.history[0]["validation_mae"] == pytest.approx(fitted[view].history[-1]["validation_mae"], abs=1e-4)
    for name, value in tuned.weights.items():
        assert value == pytest.approx(fitted[view].weights[name], abs=1e-6)


def test_a_warm_start_that_diverges_names_its_own_rate(task, fitted, tiny):
    params = tiny["composition"].model_copy(update={"fine_tune_learning_rate": 1e30})
    with pytest.raises(LodestoneError, match=r"lower composition\.fine_tune_learning_rate"):
        fit_member(task("composition", params=params, start=fitted["composition"].weights))


@BOTH
def test_a_warm_start_is_ahead_after_the_first_epoch(view, task, longer):
    warm = fit_member(task(view, start=longer[view].weights))
    assert warm.history[0]["validation_mae"] < longer[view].history[0]["validation_mae"]


@BOTH
def test_weights_fit_the_network_they_are_for(view, fitted, tiny):
    expected = {name: tuple(value.shape) for name, value in make_network(view, tiny[view]).state_dict().items()}
    assert {name: value.shape for name, value in fitted[view].weights.items()} == expected
    assert all(np.isfinite(value).all() for value in fitted[view].weights.values())
