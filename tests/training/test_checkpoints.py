"""A fit that was killed goes on to the same bits; what is not its own checkpoint is left alone."""

import json
import multiprocessing
import pickle
import signal
import time
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from lodestone.training import checkpoints
from lodestone.training.checkpoints import Scratch, scratch_of
from lodestone.training.distributed import Ranks
from lodestone.training.fit import _checkpoint_file, fit_member
from lodestone.training.shared import share
from lodestone.training.trainer import Trainer

pytestmark = pytest.mark.slow

BOTH = pytest.mark.parametrize("view", ["composition", "structure"])


def as_bytes(weights):
    return {name: value.tobytes() for name, value in weights.items()}


def header_of(path):
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["lodestone_checkpoint"])


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def scratch(tmp_path):
    """Writes a checkpoint after every epoch."""
    return Scratch(tmp_path / "scratch", seconds=0.0)


@pytest.mark.usefixtures("one_thread")
def test_a_killed_fit_goes_on_to_the_same_bits(task, tiny, scratch, monkeypatch, capfd):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    params = tiny["structure"].model_copy(update={"epochs": 15, "patience": 12})
    whole = task("structure", params=params)
    broken = replace(whole, data=share(whole.data, scratch.data), scratch=scratch)
    child = multiprocessing.get_context("spawn").Process(target=fit_member, args=(broken,))
    child.start()
    path = scratch.checkpoint(0)
    while not path.exists():
        assert child.is_alive()
        time.sleep(0.01)
    child.kill()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    left = len(header_of(path)["facts"]["history"])
    assert 1 <= left < 15

    resumed, uninterrupted = fit_member(broken), fit_member(whole)
    assert f"goes on after epoch {left}," in capfd.readouterr().err
    assert resumed.history == uninterrupted.history
    assert as_bytes(resumed.weights) == as_bytes(uninterrupted.weights)


@BOTH
@pytest.mark.parametrize("patience", [None, 5])
def test_a_state_is_whole(view, patience, task, tiny, fitted):
    """Two epochs of a warm start, then the third by a trainer that knows nothing but the state."""
    params = tiny[view].model_copy(update={"fine_tune_epochs": 3, "patience": patience})
    warm = task(view, params=params, start=fitted[view].weights)
    first, second = (Trainer(warm, warm.data, torch.device("cpu"), Ranks()) for _ in range(2))
    first.run_epoch()
    first.run_epoch()
    state = first.state()
    first.run_epoch()
    torch.manual_seed(12345)
    second.restore(state)
    second.run_epoch()
    assert second.history == first.history
    assert (second.steps, second.learning_rate, second.done) == (first.steps, first.learning_rate, True)
    ended, same = first.state().tensors, second.state().tensors
    assert set(ended) == set(same)
    assert all(torch.equal(value, same[name]) for name, value in ended.items())


def test_a_finished_fit_is_not_run_again_and_one_of_other_parameters_is(task, tiny, scratch, capfd):
    done = fit_member(task("composition", scratch=scratch))
    again = fit_member(task("composition", scratch=scratch))
    assert "goes on after epoch 3" in capfd.readouterr().err
    assert (again.history, as_bytes(again.weights)) == (done.history, as_bytes(done.weights))
    other = tiny["composition"].model_copy(update={"weight_decay": 0.3})
    changed = fit_member(task("composition", params=other, scratch=scratch))
    assert "belongs to other parameters, crystals or code: training starts afresh" in capfd.readouterr().err
    assert changed.history == fit_member(task("composition", params=other)).history


@pytest.mark.parametrize("change", ["params", "seed", "member", "data", "start", "code", "torch", "ranks"])
def test_the_digest_sees_all_that_matters(change, task, tiny, fitted, scratch, monkeypatch):
    def digest(one, size=1):
        one = replace(one, scratch=scratch)
        return _checkpoint_file(one, one.data, torch.device("cpu"), Ranks(size=size)).digest

    plain, params = task("composition"), tiny["composition"]
    before = digest(plain)
    assert digest(task("composition")) == before
    others = {
        "params": {"params": params.model_copy(update={"weight_decay": 0.3})},
        "seed": {"seed": 8},
        "member": {"member": 1},
        "data": {"data": replace(plain.data, digest="other")},
        "start": {"start": fitted["composition"].weights},
    }
    if change == "code":
        monkeypatch.setattr(checkpoints, "_code_digest", lambda: "other")
    if change == "torch":
        monkeypatch.setattr(torch, "__version__", "0.0")
    assert digest(replace(plain, **others.get(change, {})), size=2 if change == "ranks" else 1) != before


def _of_another_version(path):
    header = header_of(path) | {"version": 99}
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, metadata={"lodestone_checkpoint": json.dumps(header)})


class _Malicious:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was run",))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_of_another_version, "belongs to other parameters"),
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), "is no readable checkpoint"),
        (lambda path: path.write_bytes(pickle.dumps(_Malicious())), "is no readable checkpoint"),
        (lambda path: save_file({"a": torch.zeros(1)}, path), "is no readable checkpoint"),
    ],
    ids=["version", "half", "pickle", "other safetensors"],
)
def test_what_is_no_checkpoint_of_this_version_is_told_and_left_alone(damage, told, task, fitted, scratch, capfd):
    one = task("composition", scratch=scratch)
    fit_member(one)
    damage(scratch.checkpoint(0))
    capfd.readouterr()
    assert fit_member(one).history == fitted["composition"].history
    assert told in capfd.readouterr().err


def test_checkpoints_are_written_no_more_often_than_asked(task, tmp_path, monkeypatch):
    saved = []
    save = checkpoints.CheckpointFile.save
    monkeypatch.setattr(
        checkpoints.CheckpointFile, "save", lambda self, state: (saved.append(state), save(self, state))
    )
    fit_member(task("composition", scratch=Scratch(tmp_path / "rarely", seconds=3600)))
    assert len(saved) == 1  # the finished one
    fit_member(task("composition", scratch=Scratch(tmp_path / "often", seconds=0)))
    assert len(saved) == 1 + 3


def test_the_place_follows_the_environment(monkeypatch, tmp_path):
    folder = scratch_of("structure", 255, "0123456789abcdef").folder
    assert folder == tmp_path / "checkpoints" / "structure-000000ff-0123456789ab"
    monkeypatch.delenv("LODESTONE_CHECKPOINTS")
    folder = scratch_of("structure", 255, "0123456789abcdef").folder
    assert folder.as_posix() == ".lodestone/checkpoints/structure-000000ff-0123456789ab"
