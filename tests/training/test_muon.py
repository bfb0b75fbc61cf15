"""Muon against its definition and against torch's own, which is slower for small matrices."""

import numpy as np
import pytest
import torch
from torch import nn

from lodestone.models.registry import make_network
from lodestone.training.muon import Muon, orthogonal
from lodestone.training.optimizers import optimizers_of


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(5, 8, 8), (3, 4, 16), (1, 64, 128)])
def test_singular_values_become_alike(shape):
    matrices = random(*shape) * torch.logspace(-2, 2, shape[2])
    left, values, right = torch.linalg.svd(matrices, full_matrices=False)
    made = torch.linalg.svdvals(orthogonal(matrices))
    large = values > 0.01 * values[:, :1]  # what is nearly absent from a gradient stays small
    assert made.max() < 1.25
    assert made[large].min() > 0.6
    turned = left.mT @ orthogonal(matrices) @ right.mT  # the same directions
    assert torch.allclose(turned, torch.diag_embed(torch.diagonal(turned, dim1=1, dim2=2)), atol=1e-3)


def test_nothing_comes_of_nothing():
    assert not orthogonal(torch.zeros(2, 3, 4)).any()


def stepped(optimizer, weights, gradients):
    for gradient in gradients:
        for weight, given in zip(weights, gradient, strict=True):
            weight.grad = given.clone()
        optimizer.step()
    return [weight.detach().clone() for weight in weights]


def test_it_steps_as_torch_does():
    """In bfloat16 there: two significant digits."""
    shapes = [(8, 8), (8, 8), (16, 8), (8, 16), (6, 20)]
    start = [random(*shape, seed=k) for k, shape in enumerate(shapes)]
    gradients = [[random(*shape, seed=10 * n + k) for k, shape in enumerate(shapes)] for n in range(1, 5)]
    ours, theirs = ([nn.Parameter(weight.clone()) for weight in start] for _ in range(2))
    mine = Muon(ours, weight_decay=0.1)
    mine.param_groups[0]["lr"] = 0.02
    torchs = torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for before, a, b in zip(start, stepped(mine, ours, gradients), stepped(torchs, theirs, gradients), strict=True):
        assert (a - b).norm() < 0.03 * (a - before).norm()


def test_a_step_is_as_large_as_one_of_adamw():
    weight = nn.Parameter(torch.zeros(64, 64))
    muon = Muon([weight], weight_decay=0.0)
    muon.param_groups[0]["lr"] = 0.5
    (after,) = stepped(muon, [weight], [[random(64, 64)]])
    assert float(after.square().mean().sqrt()) == pytest.approx(0.2 * 0.5, rel=0.2)


def test_what_has_no_gradient_stays():
    weight = nn.Parameter(random(4, 4))
    muon = Muon([weight], weight_decay=0.1)
    muon.param_groups[0]["lr"] = 0.1
    before = weight.detach().clone()
    muon.step()
    assert torch.equal(weight, before)


@pytest.mark.parametrize("view", ["composition", "structure"])
def test_each_parameter_has_one_optimizer(view, tiny):
    network = make_network(view, tiny[view])
    made = optimizers_of(network, 0.01)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    found = {kind: [names[id(p)] for group in o.param_groups for p in group["params"]] for kind, o in made.items()}
    assert sorted([*found["muon"], *found["adamw"]]) == sorted(names.values())
    assert "embedding.known.weight" in found["muon"]
    assert {"embedding.learned.weight", "head.2.weight", "norm.weight"} <= set(found["adamw"])
    assert np.isclose(made["muon"].param_groups[0]["weight_decay"], 0.01)
