"""With patience a fit ends when it no longer gets better, and keeps its best weights; without, it runs to the end."""

import numpy as np
import pytest
import torch

from lodestone.models.inference import evaluate
from lodestone.training.distributed import Ranks
from lodestone.training.fit import fit_member
from lodestone.training.trainer import Trainer, rate_factor

pytestmark = pytest.mark.slow


def with_curve(task, params, errors):
    """A trainer whose validation errors are given; the weights are told apart by the number of the epoch."""
    one = task("composition", params=params)
    trainer = Trainer(one, one.data, torch.device("cpu"), Ranks())
    curve = iter(errors)

    def validate():
        trainer.averaged.norm.bias.data.fill_(len(trainer.history) + 1)
        return {"validation_mae": next(curve)}

    trainer._validate = validate
    while not trainer.done:
        trainer.run_epoch()
    return len(trainer.history), float(trainer.weights()["norm.bias"][0])


@pytest.mark.parametrize(
    ("patience", "errors", "ended", "kept"),
    [
        (None, [5, 1, 2, 3, 4, 5], 6, 6),
        (2, [5, 1, 2, 3, 0, 0], 4, 2),
        (2, [5, 4, 4.5, 3, 2, 1], 6, 6),
        (1, [5, 5, 1, 1, 1, 1], 2, 1),
        (9, [5, 1, 2, 3, 4, 5], 6, 2),
    ],
)
def test_when_it_ends_and_what_is_kept(patience, errors, ended, kept, task, tiny):
    params = tiny["composition"].model_copy(update={"epochs": 6, "patience": patience})
    assert with_curve(task, params, errors) == (ended, kept)


def test_the_weights_kept_have_the_error_of_the_best_epoch(task, tiny, monkeypatch):
    """The second epoch is made the best by adding to the errors of the others."""
    validate = Trainer._validate

    def worse(self):
        return {name: error + abs(len(self.history) - 1) for name, error in validate(self).items()}

    monkeypatch.setattr(Trainer, "_validate", worse)
    params = tiny["composition"].model_copy(update={"epochs": 12, "patience": 3})
    one = task("composition", params=params)
    result = fit_member(one)
    assert len(result.history) == 2 + 3
    trainer = Trainer(one, one.data, torch.device("cpu"), Ranks())
    trainer.network.load_state_dict({name: torch.from_numpy(value) for name, value in result.weights.items()})
    known = one.data.validation
    errors = np.abs(evaluate(trainer.network, known.dataset, torch.device("cpu")) - known.target.numpy())
    assert errors.mean() * one.data.scale == pytest.approx(result.history[1]["validation_mae"])


def test_few_validation_crystals_are_all_watched_and_of_many_an_even_share(task, tiny, monkeypatch):
    one = task("composition", params=tiny["composition"])
    trainer = Trainer(one, one.data, torch.device("cpu"), Ranks())
    known = one.data.validation
    errors = np.abs(evaluate(trainer.averaged, known.dataset, torch.device("cpu")) - known.target.numpy())
    assert trainer._validate()["validation_mae"] == pytest.approx(errors.mean())
    monkeypatch.setattr("lodestone.training.trainer._WATCHED", 3)
    middle = [0, round((len(errors) - 1) / 2), len(errors) - 1]
    assert trainer._validate()["validation_mae"] == pytest.approx(errors[middle].mean())


@pytest.mark.parametrize(("share", "kept"), [(0.0, 1), (0.5, 2), (1.0, 3)])
def test_relaxed_and_unrelaxed_structures_choose_the_epoch_as_training_mixes_them(share, kept, task, tiny):
    """Each kind of structure alone has its best epoch elsewhere than half of both."""
    params = tiny["structure"].model_copy(update={"epochs": 3, "patience": 9, "unrelaxed": share})
    one = task("structure", params=params)
    trainer = Trainer(one, one.data, torch.device("cpu"), Ranks())
    curve = iter([(1.0, 4.0), (2.0, 2.0), (5.0, 1.0)])

    def validate():
        trainer.averaged.norm.bias.data.fill_(len(trainer.history) + 1)
        return dict(zip(("validation_mae", "validation_mae_unrelaxed"), next(curve), strict=True))

    trainer._validate = validate
    while not trainer.done:
        trainer.run_epoch()
    assert float(trainer.weights()["norm.bias"][0]) == kept


def test_the_rate_rises_for_a_tenth_of_the_steps_and_falls_to_nothing():
    rates = [rate_factor(step, 100) for step in range(101)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[9] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == pytest.approx(0)
