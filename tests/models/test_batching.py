"""Batches, single atoms, unseen elements, gradients and seeds."""

import numpy as np
import pytest
import torch

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import SYMBOLS
from lodestone.errors import LodestoneError
from lodestone.models.inference import evaluate
from lodestone.models.registry import make_dataset, make_network

CPU = torch.device("cpu")
BOTH = pytest.mark.parametrize("view", ["composition", "structure"])


@BOTH
def test_a_crystal_is_predicted_alike_alone_and_among_others(view, crystals, networks, params):
    several = list(crystals.values())
    together = evaluate(networks[view], make_dataset(view, several, params[view]), CPU)
    in_threes = evaluate(networks[view], make_dataset(view, several, params[view]), CPU, batch_size=3)
    alone = [evaluate(networks[view], make_dataset(view, [crystal], params[view]), CPU)[0] for crystal in several]
    assert together == pytest.approx(np.array(alone), abs=1e-5)
    assert together == pytest.approx(in_threes, abs=1e-5)


@BOTH
def test_rows_may_come_in_any_order_and_twice(view, crystals, networks, params):
    dataset = make_dataset(view, list(crystals.values()), params[view])
    expected = evaluate(networks[view], dataset, CPU)
    rows = torch.from_numpy(np.random.default_rng(1).integers(len(dataset), size=2 * len(dataset)))
    with torch.no_grad():
        found = networks[view](dataset.batch(rows)).numpy()
    assert found == pytest.approx(expected[rows.numpy()], abs=1e-5)


def test_graphs_of_a_batch_are_not_joined(crystals, params):
    several = list(crystals.values())
    batch = make_dataset("structure", several, params["structure"]).batch(torch.tensor([4, 0, 2]))
    source, target = batch.edge_index
    assert torch.equal(batch.batch[source], batch.batch[target])
    for number, crystal in enumerate(several[i] for i in (4, 0, 2)):
        inside = batch.batch == number
        elements = torch.repeat_interleave(batch.z[inside], batch.atoms[inside].long())
        assert sorted(elements.tolist()) == sorted(crystal.atomic_numbers.tolist())
    assert torch.bincount(target, minlength=len(batch.z)).min() >= 1


@BOTH
def test_an_empty_dataset_has_no_predictions(view, networks, params):
    assert evaluate(networks[view], make_dataset(view, [], params[view]), CPU).shape == (0,)


@BOTH
def test_single_atoms_however_far_apart_give_finite_numbers(view, networks, params):
    atoms = [Crystal(a * np.eye(3), [29], [[0.3, 0.1, 0.9]]) for a in (2.5, 6.5, 11.0)]
    assert np.isfinite(evaluate(networks[view], make_dataset(view, atoms, params[view]), CPU)).all()


def test_a_lonely_atom_is_refused_with_a_remedy(params):
    with pytest.raises(LodestoneError, match=r"Cu has no neighbor(.|\n)*volume_per_atom"):
        make_dataset("structure", [Crystal(60 * np.eye(3), [29], [[0, 0, 0]])], params["structure"])


@BOTH
def test_every_element_gives_a_finite_number_of_its_own(view, networks, params):
    """Elements never seen in training still differ by what is known of them."""
    atoms = [Crystal(3 * np.eye(3), [z], [[0, 0, 0]]) for z in range(1, len(SYMBOLS))]
    values = evaluate(networks[view], make_dataset(view, atoms, params[view]), CPU)
    assert np.isfinite(values).all()
    assert len(np.unique(values)) == len(SYMBOLS) - 1


def test_unlearned_embeddings_still_tell_elements_apart(networks):
    embedding = networks["structure"].embedding
    known = embedding.known(embedding.features)
    assert torch.isfinite(known).all()
    assert torch.unique(known[1:].detach(), dim=0).shape[0] == len(SYMBOLS) - 1
    sodium, potassium, chlorine = known[11], known[19], known[17]
    assert torch.dist(sodium, potassium) < torch.dist(sodium, chlorine)


@BOTH
def test_gradients_reach_every_parameter(view, crystals, params):
    torch.manual_seed(0)
    network = make_network(view, params[view])
    dataset = make_dataset(view, list(crystals.values()), params[view])
    network(dataset.batch(torch.arange(len(dataset)))).square().sum().backward()
    size = {name: 0.0 if p.grad is None else float(p.grad.abs().max()) for name, p in network.named_parameters()}
    idle = {name for name, value in size.items() if not value > 1e-6 * max(size.values())}
    # A constant added to every logit of a softmax changes nothing.
    assert {name for name in idle if not name.endswith("gate.bias")} == set()
    assert any(size.values())


@BOTH
def test_weights_follow_from_the_seed(view, params):
    def weights(seed):
        torch.manual_seed(seed)
        return make_network(view, params[view]).state_dict()

    first, again, other = weights(3), weights(3), weights(4)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


@BOTH
def test_equal_input_gives_equal_bytes(view, crystals, networks, params):
    runs = [evaluate(networks[view], make_dataset(view, list(crystals.values()), params[view]), CPU) for _ in range(2)]
    assert runs[0].tobytes() == runs[1].tobytes()


def test_the_structure_view_needs_its_own_parameters(crystals, params):
    with pytest.raises(LodestoneError, match="the structure view needs unrelaxed, cutoff, neighbors"):
        make_dataset("structure", list(crystals.values()), params["composition"])
