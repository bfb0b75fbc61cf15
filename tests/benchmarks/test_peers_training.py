"""The driver that trains every network, with a toy network and a clock of its own."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from peers import train
from peers.learner import Prepared, mean_and_spread
from peers.settings import Training
from peers.split import Part

pytestmark = pytest.mark.slow

SETTINGS = Training(0.05, 8, "mse")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Toy:
    """Learns the energy from the atomic number; a step takes a second, an evaluation a hundred."""

    def __init__(self, clock: Clock, refused: tuple[int, ...] = ()) -> None:
        self.clock, self.refused, self.seen = clock, refused, set()

    def translate(self, crystals):
        return torch.tensor([[float(crystal.atomic_numbers[0])] for crystal in crystals])

    def prepare(self, inputs):
        self.clock.now += 10.0
        usable = torch.tensor([row for row in range(len(inputs)) if inputs[row] not in self.refused])
        return Prepared(lambda rows: inputs[rows], len(inputs), usable)

    def network(self):
        return nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 1))

    def outputs(self, network, batch):
        self.clock.now += 1.0 if network.training else 100.0
        if network.training:
            self.seen |= set(batch[:, 0].tolist())
        return network(batch)[:, 0]

    def baseline(self, fractions, energies):
        return mean_and_spread(energies)


def parts() -> dict[str, Part]:
    numbers = {"train": range(1, 66), "validation": range(3, 60, 7), "test": range(2, 60, 5)}
    return {
        name: Part([Crystal(np.eye(3), [z], [0, 0, 0]) for z in zs], np.array(zs) / 20 - 2)
        for name, zs in numbers.items()
    }


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(train, "clock", clock)
    return clock


def test_only_steps_count_towards_the_budget(clock):
    trained = train.train_network(Toy(clock), SETTINGS, parts(), seconds=200.0, seed=0)
    seconds = [point["seconds"] for point in trained.curve.points]
    assert (seconds[0], seconds[-1], len(seconds)) == (20.0, 200.0, train.POINTS)
    assert trained.preparation_seconds == 30.0
    assert trained.epochs == pytest.approx(200 * 8 / 65)
    assert trained.training_per_second == 8.0
    assert trained.inference_per_second == pytest.approx(12 / 100)


def test_members_share_the_budget_and_are_averaged(clock):
    alone = train.train_network(Toy(clock), SETTINGS, parts(), seconds=100.0, seed=0)
    trained = train.train_network(Toy(clock), replace(SETTINGS, useful=100 / 65), parts(), seconds=200.0, seed=0)
    seconds = [point["seconds"] for point in trained.curve.points]
    assert (seconds[-1], max(second for second in seconds if second <= 100)) == (200.0, 100.0)
    assert trained.parameters == 2 * alone.parameters
    assert trained.inference_per_second == pytest.approx(alone.inference_per_second / 2)
    first = next(said for said, at in zip(trained.curve.predictions, seconds, strict=True) if at == 100.0)
    assert first["test"] == pytest.approx(alone.curve.predictions[-1]["test"])
    watched = {point["seconds"]: point["validation_mae"] for point in trained.curve.points}
    assert all(mae <= watched[100.0] for second, mae in watched.items() if second > 100)


@pytest.mark.parametrize(("second", "expected"), [(-1.0, 0.0), (9.0, 1.0)])
def test_a_member_counts_from_when_it_helps(second, expected):
    """The first errs by 1 eV/atom; one that errs by as much the other way helps, one that has just begun does not."""
    known = {"validation": SimpleNamespace(energies=np.zeros(3))}
    sessions = [SimpleNamespace(parts=known, best=(np.full(3, error), np.full(2, error))) for error in (1.0, second)]
    validation, test = train._means(sessions)
    assert validation.tolist() == [expected] * 3
    assert test.tolist() == [expected] * 2


def test_it_learns(clock):
    curve = train.train_network(Toy(clock), SETTINGS, parts(), seconds=400.0, seed=0).curve
    knowing_nothing = np.abs(curve.test - parts()["train"].energies.mean()).mean()
    assert curve.points[-1]["test_mae"] < 0.1
    assert knowing_nothing > 0.5
    assert curve.points[-1]["test_mae"] == pytest.approx(
        np.abs(np.array(curve.predictions[-1]["test"]) - curve.test).mean()
    )


def test_refused_crystals_get_the_mean_and_are_not_learned_from(clock):
    toy = Toy(clock, refused=(7.0, 10.0))
    trained = train.train_network(toy, SETTINGS, parts(), seconds=100.0, seed=0)
    mean = parts()["train"].energies.mean()
    assert not toy.seen & {7.0, 10.0}
    assert trained.refused == 2 + 1 + 1  # 10 is a validation crystal, too, and 7 a test crystal
    assert trained.curve.predictions[-1]["test"][1] == pytest.approx(mean)


def test_what_validates_better_is_reported(clock, monkeypatch):
    """The weights or their average: here one of them is made useless, and the other must be found."""
    for bad in ("weights", "average"):
        predict = train._Session.predict

        def spoiled(session, network, name, bad=bad, predict=predict):
            is_average = network is session.averaged.module
            return predict(session, network, name) + (50.0 if is_average == (bad == "average") else 0.0)

        with monkeypatch.context() as patch:
            patch.setattr(train._Session, "predict", spoiled)
            points = train.train_network(Toy(clock), SETTINGS, parts(), seconds=50.0, seed=0).curve.points
        assert max(point["test_mae"] for point in points) < 10


def test_the_rate_warms_up_and_ends_at_nothing():
    factors = [train.rate_factor(progress) for progress in np.linspace(0, 1, 101)]
    assert 0 < factors[0] < 0.05
    assert factors[5] == pytest.approx(1.0)
    assert factors[-1] == pytest.approx(0.0)
    assert factors[5:] == sorted(factors[5:], reverse=True)


def test_a_loss_that_is_no_number_is_told(clock):
    broken = parts()
    broken["train"].energies[3] = np.nan
    with pytest.raises(LodestoneError, match="the loss is nan"):
        train.train_network(Toy(clock), SETTINGS, broken, seconds=50.0, seed=0)
