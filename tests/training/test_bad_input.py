"""Crystals and training sets at the edge of what makes sense: finite numbers, or a clear refusal."""

from itertools import product

import numpy as np
import polars as pl
import pytest
import torch

from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.models.baseline import ElementBaseline
from lodestone.models.inference import predict_members
from lodestone.models.weights import SavedView
from lodestone.training.data import LabelledCrystals, TrainingData
from lodestone.training.fit import fit_member
from lodestone.training.tasks import FitTask
from lodestone.training.train import train_view

BOTH = pytest.mark.parametrize("view", ["composition", "structure"])


def rock_salt(a, elements=(11, 17), cells=1):
    """Rock salt with ``8 * cells ** 3`` sites and cubic cells of length ``a``, Å."""
    grid = np.array(list(product(range(2 * cells), repeat=3)))
    numbers = np.where(grid.sum(axis=1) % 2 == 0, *elements)
    return Crystal(a * cells * np.eye(3), numbers, grid / (2 * cells))


@pytest.fixture
def predict(fitted, tiny, baseline):
    def _predict(view, crystals):
        saved = SavedView(view, tiny[view], baseline, [fitted[view].weights])
        return predict_members(saved, crystals)[0]

    return _predict


@BOTH
def test_elements_never_learned_from_give_finite_numbers_and_are_told(view, predict, labelled, baseline):
    held_out = next(z for z in (43, 61, 93, 91, 2, 10) if not baseline.seen[z])
    crystals = [rock_salt(5.6), rock_salt(5.6, (held_out, 17)), Crystal(3 * np.eye(3), [held_out], [[0, 0, 0]])]
    energies = predict(view, crystals)
    assert np.isfinite(energies).all()
    assert len(set(energies)) == 3
    asked = LabelledCrystals(crystals, energies)
    assert baseline.knows(asked.fractions())[1:].tolist() == [False, False]
    assert baseline.knows(labelled[0].fractions()).all()


@BOTH
def test_single_atoms_and_400_sites(view, predict):
    """400 and more: a supercell must say what its primitive cell says."""
    small, large, atom = rock_salt(5.6), rock_salt(5.6, cells=4), Crystal(2.5 * np.eye(3), [29], [[0.2, 0.7, 0]])
    assert len(large) == 512
    energies = predict(view, [small, large, atom])
    assert np.isfinite(energies).all()
    assert energies[0] == pytest.approx(energies[1], abs=1e-4)


@BOTH
@pytest.mark.parametrize("per_atom", [1.0, 2.0, 150.0, 1000.0])
def test_tiny_and_huge_volumes(view, per_atom, predict):
    """Half of to seven times what the campaign lets through; at the largest no neighbor is within the cutoff."""
    assert np.isfinite(predict(view, [rock_salt(2 * per_atom ** (1 / 3))])).all()


def test_a_cell_without_neighbors_is_refused_and_named(predict):
    with pytest.raises(LodestoneError, match=r"NaNa.* has no neighbor within(.|\n)*validate\.volume_per_atom"):
        predict("structure", [rock_salt(100.0)])


@BOTH
def test_gradients_that_are_no_numbers_are_noticed_on_the_last_step_too(view, task, tiny):
    """The square root at zero: its value is a number, its gradient is not."""
    from lodestone.training.distributed import Ranks
    from lodestone.training.trainer import Trainer

    params = tiny[view].model_copy(update={"epochs": 1, "batch_size": 1000})
    one = task(view, params=params)
    trainer = Trainer(one, one.data, torch.device("cpu"), Ranks())
    forward = trainer.network.forward
    trainer.network.forward = lambda batch: forward(batch) + (0 * forward(batch)).abs().sqrt()
    with pytest.raises(LodestoneError, match=rf"{view} member 0 diverged in epoch 1 at learning_rate 0\.01"):
        trainer.run_epoch()


@BOTH
@pytest.mark.parametrize("n", [1, 5])
def test_one_crystal_and_batches_larger_than_the_set(view, n, tiny, labelled):
    train, validation = (LabelledCrystals(part.crystals[:n], part.energies[:n]) for part in labelled)
    baseline = ElementBaseline.fit(train.fractions(), train.energies)
    data = TrainingData.prepare(view, tiny[view], train, validation, baseline)
    result = fit_member(FitTask(view, tiny[view].model_copy(update={"batch_size": 64}), 0, 7, data))
    assert all(np.isfinite(value).all() for value in result.weights.values())
    assert all(np.isfinite(list(row.values())).all() for row in result.history)


@BOTH
@pytest.mark.parametrize("part", ["train", "validation"])
def test_a_part_without_crystals_is_refused(view, part, known, tiny):
    without = known.filter(pl.col("split") != part)
    with pytest.raises(LodestoneError, match=rf"no crystal is in the part '{part}' of the split(.|\n)*params\.yaml"):
        train_view(view, tiny[view], without, None, seed=1)
