"""The average of the weights is torch's, bit by bit, without its walk over all modules at each step."""

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lodestone.training.distributed import Ranks
from lodestone.training.trainer import Trainer


@pytest.fixture
def trainer(task):
    one = task("composition")
    return Trainer(one, one.data, torch.device("cpu"), Ranks())


def test_it_is_the_average_of_torch(trainer):
    theirs = AveragedModel(trainer.network, multi_avg_fn=get_ema_multi_avg_fn(1 - 1 / 20))
    step = trainer.step

    def observed(rows):
        loss = step(rows)
        theirs.update_parameters(trainer.network)
        return loss

    trainer.step = observed
    trainer.run_epoch()
    assert trainer.steps > 2
    ours, expected, last = (net.state_dict() for net in (trainer.averaged, theirs.module, trainer.network))
    assert all(torch.equal(ours[name], value) for name, value in expected.items())
    assert any(not torch.equal(ours[name], value) for name, value in last.items())


def test_buffers_are_those_of_the_last_step(trainer):
    trainer.network.register_buffer("seen", torch.zeros(1))
    trainer.averaged.register_buffer("seen", torch.zeros(1))

    def count(network, *_):
        network.seen += 1

    trainer.network.register_forward_hook(count)
    trainer.run_epoch()
    assert float(trainer.averaged.seen) == float(trainer.network.seen) == trainer.steps
