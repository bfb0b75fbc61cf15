"""Processes that train one view share one file of training data, and take no other for it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lodestone.errors import LodestoneError
from lodestone.training import train
from lodestone.training.data import TrainingData
from lodestone.training.shared import SharedData, share
from lodestone.training.train import fit_view

pytestmark = pytest.mark.slow

BOTH = pytest.mark.parametrize("view", ["composition", "structure"])


@pytest.fixture
def prepared(labelled, baseline, tiny):
    """Makes training data of some of the crystals."""

    def _prepared(view, n=40):
        parts = [replace(part, crystals=part.crystals[:n], energies=part.energies[:n]) for part in labelled]
        return TrainingData.prepare(view, tiny[view], *parts, baseline)

    return _prepared


@BOTH
def test_what_is_shared_is_what_was_prepared(view, prepared, tmp_path):
    data = prepared(view)
    found = share(data, tmp_path / "data.safetensors").load()
    assert (found.view, found.scale, found.digest) == (data.view, data.scale, data.digest)
    for own, shared in ((data.train, found.train), (data.validation, found.validation)):
        assert own.tensors().keys() == shared.tensors().keys()
        assert all(torch.equal(value, shared.tensors()[name]) for name, value in own.tensors().items())
        assert type(shared.dataset) is type(own.dataset)
        batches = [one.dataset.batch(torch.tensor([3, 0, 1])) for one in (own, shared)]
        assert torch.equal(batches[0].z, batches[1].z)


def test_other_data_at_the_same_place_are_refused(prepared, tmp_path):
    path = tmp_path / "data.safetensors"
    shared = share(prepared("structure"), path)
    share(prepared("structure", 30), path)
    with pytest.raises(LodestoneError, match="holds other training data"):
        shared.load()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(LodestoneError, match="cannot be read"):
        shared.load()


def test_no_pickle_is_read(prepared, tmp_path):
    path = tmp_path / "data.safetensors"
    torch.save(prepared("composition"), path)
    with pytest.raises(LodestoneError, match="cannot be read"):
        SharedData(path=path, digest="").load()


def test_trainings_with_equal_view_and_seed_share_nothing(known, tiny, monkeypatch):
    """Each writes its data before any member reads them, as two programs at the same time may do."""
    folders: list[Path] = []

    def fitted(crystals):
        def fit(tasks, data, scratch, title):
            share(data, scratch.data)
            folders.append(scratch.folder)
            return []

        monkeypatch.setattr(train, "_fit_all", fit)
        monkeypatch.setattr(train._Fitted, "clean_up", lambda self: None)
        fit_view("composition", tiny["composition"], crystals, None, 5)

    fitted(known)
    fitted(known.filter(known["nsites"] <= 4))
    fitted(known)
    assert folders[0] == folders[2] != folders[1]
    for folder in set(folders):
        shutil.rmtree(folder)
