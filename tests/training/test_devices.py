"""Where networks run, and what happens when there is not enough memory."""

import numpy as np
import pytest
import torch

from lodestone.errors import LodestoneError
from lodestone.models import devices
from lodestone.models.devices import chosen_device
from lodestone.models.inference import evaluate
from lodestone.training.distributed import Ranks
from lodestone.training.fit import fit_member
from lodestone.training.trainer import Trainer

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
MESSAGES = ["CUDA out of memory. Tried to allocate 2 GiB", "[enforce fail] DefaultCPUAllocator: can't allocate memory"]


@pytest.mark.parametrize(
    ("wanted", "present", "expected"),
    [
        ("auto", ["cuda", "mps", "cpu"], torch.device("cuda", 1)),
        ("", ["mps", "cpu"], torch.device("mps")),
        ("auto", ["cpu"], CPU),
        ("cpu", ["cuda", "cpu"], CPU),
        ("cuda", ["cuda", "cpu"], torch.device("cuda", 1)),
    ],
)
def test_the_device_is_the_one_named_or_the_fastest(wanted, present, expected, monkeypatch):
    monkeypatch.setenv("LODESTONE_DEVICE", wanted)
    monkeypatch.setattr(devices, "available_devices", lambda: present)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert chosen_device(3) == expected  # the fourth member goes to the second of two GPUs


@pytest.mark.parametrize("wanted", ["cuda", "tpu", "CPU", "cuda:0"])
def test_a_device_that_is_not_there_is_refused_and_those_that_are_named(wanted, monkeypatch, task):
    monkeypatch.setenv("LODESTONE_DEVICE", wanted)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(LodestoneError, match=rf"LODESTONE_DEVICE is '{wanted}'(.|\n)*one of auto, mps, cpu, or unset"):
        fit_member(task("composition"))


def fits(network, most, error):
    """Let a network run out of memory above a batch size; returns the list of sizes it was tried with."""
    forward, sizes = network.forward, []

    def limited(batch):
        outputs = forward(batch)
        sizes.append(len(outputs))
        if len(outputs) > most:
            raise error
        return outputs

    network.forward = limited
    return sizes


@pytest.mark.parametrize("error", [torch.OutOfMemoryError(MESSAGES[0]), *map(RuntimeError, MESSAGES)], ids=repr)
@pytest.mark.parametrize("view", ["composition", "structure"])
def test_a_step_that_does_not_fit_is_taken_in_parts(view, error, task, capfd):
    one = task(view)
    plain, tight = (Trainer(one, one.data, CPU, Ranks()) for _ in range(2))
    sizes = fits(tight.network, 3, error)
    plain.run_epoch()
    tight.run_epoch()
    assert sizes[:5] == [9, 5, 3, 3, 3]
    assert max(sizes[2:]) == 3  # the size that fits is remembered
    assert tight.history[0] == pytest.approx(plain.history[0], rel=1e-4)
    for name, value in plain.network.state_dict().items():
        if not name.endswith("gate.bias"):  # idle in a softmax: its gradient is rounding, which Adam scales up
            assert tight.network.state_dict()[name].numpy() == pytest.approx(value.numpy(), abs=1e-4), name
    assert capfd.readouterr().err.count("out of memory on the device") == 1


def test_gradients_of_an_attempt_that_failed_are_forgotten(task):
    """The first of two parts fits, the second does not: what the first has left must not count twice."""
    one = task("composition")
    plain, tight = (Trainer(one, one.data, CPU, Ranks()) for _ in range(2))
    forward, calls = tight.network.forward, []

    def limited(batch):
        calls.append(1)
        if len(calls) in (1, 3):  # the whole batch, then the second half
            raise torch.OutOfMemoryError
        return forward(batch)

    tight.network.forward = limited
    rows = torch.arange(8)
    assert float(tight.step(rows)) == pytest.approx(float(plain.step(rows)), rel=1e-5)
    for mine, theirs in zip(tight.network.parameters(), plain.network.parameters(), strict=True):
        assert mine.grad.numpy() == pytest.approx(theirs.grad.numpy(), abs=1e-6)


def test_predictions_that_do_not_fit_are_made_in_parts(task, capfd):
    one = task("structure")
    network = Trainer(one, one.data, CPU, Ranks()).network
    expected = evaluate(network, one.data.train.dataset, CPU)
    sizes = fits(network, 50, torch.OutOfMemoryError())
    assert evaluate(network, one.data.train.dataset, CPU) == pytest.approx(expected, abs=1e-5)
    assert max(sizes[2:]) <= 50
    assert capfd.readouterr().err.count("out of memory on the device") == 1


def test_a_device_without_room_for_one_crystal_is_refused(task):
    one = task("composition")
    trainer = Trainer(one, one.data, CPU, Ranks())
    fits(trainer.network, 0, torch.OutOfMemoryError())
    with pytest.raises(LodestoneError, match="too little memory for a single crystal"):
        trainer.run_epoch()


def test_other_errors_are_not_taken_for_a_lack_of_memory(task):
    one = task("composition")
    trainer = Trainer(one, one.data, CPU, Ranks())
    fits(trainer.network, 0, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        trainer.run_epoch()


@pytest.mark.parametrize("view", ["composition", "structure"])
def test_half_precision_learns_the_same_within_its_rounding(view, task, tiny, fitted):
    half = fit_member(task(view, params=tiny[view].model_copy(update={"precision": "bfloat16"})))
    assert half.history != fitted[view].history
    assert half.history[-1]["validation_mae"] == pytest.approx(fitted[view].history[-1]["validation_mae"], rel=0.1)
    assert all(np.isfinite(value).all() and value.dtype == np.float32 for value in half.weights.values())
