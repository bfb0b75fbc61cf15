"""Parts of training data, and several put together, are what they would be if they were made anew."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lodestone.models.datasets import build_dataset
from lodestone.models.registry import make_dataset
from lodestone.training.data import LabelledCrystals, examples_of

BOTH = pytest.mark.parametrize("view", ["composition", "structure"])


@pytest.fixture
def some(labelled):
    """Ten crystals, of which every second has an unrelaxed structure."""
    crystals, energies = labelled[0].crystals[:10], labelled[0].energies[:10]
    unrelaxed = [crystal.scaled_to(1.2 * crystal.volume) if i % 2 else None for i, crystal in enumerate(crystals)]
    return LabelledCrystals(crystals, energies, unrelaxed)


def of(labelled, rows):
    return replace(
        labelled,
        crystals=[labelled.crystals[row] for row in rows],
        energies=labelled.energies[rows],
        unrelaxed_structures=[labelled.unrelaxed_structures[row] for row in rows],
    )


def are_equal(one, other):
    assert one.tensors().keys() == other.tensors().keys()
    assert all(torch.equal(value, other.tensors()[name]) for name, value in one.tensors().items())


@BOTH
def test_a_subset_is_what_its_crystals_alone_would_be(view, some, baseline, tiny):
    whole, rows = examples_of(view, tiny[view], some, baseline), [7, 0, 3, 3]
    are_equal(whole.subset(torch.tensor(rows)), examples_of(view, tiny[view], of(some, rows), baseline))


@BOTH
def test_two_parts_together_are_the_whole(view, some, baseline, tiny):
    first, second = (examples_of(view, tiny[view], of(some, rows), baseline) for rows in ([0, 1, 2, 3], [4, 5, 6, 7]))
    are_equal(first.joined(second), examples_of(view, tiny[view], of(some, list(range(8))), baseline))


@BOTH
def test_datasets_are_joined_in_order(view, some, tiny):
    parts = [make_dataset(view, list(some.crystals[a:b]), tiny[view]) for a, b in ((0, 3), (3, 10))]
    whole = make_dataset(view, list(some.crystals), tiny[view])
    joined = type(whole).joined(parts)
    assert len(joined) == 10
    for name, value in whole.tensors().items():
        assert np.array_equal(joined.tensors()[name].numpy(), value.numpy())


@pytest.mark.slow
@BOTH
def test_pieces_built_on_all_cores_are_the_whole(view, some, tiny):
    crystals, marked = list(some.crystals), [row > 6 for row in range(10)]
    whole = make_dataset(view, crystals, tiny[view], marked)
    built = build_dataset(view, crystals, tiny[view], marked, piece=4)
    assert type(built) is type(whole)
    assert built.tensors().keys() == whole.tensors().keys()
    for name, value in whole.tensors().items():
        assert built.tensors()[name].dtype == value.dtype
        assert np.array_equal(built.tensors()[name].numpy(), value.numpy())
