"""Our softmax in groups is torch-geometric's, bit by bit, gradients included."""

import torch
from torch_geometric.utils import softmax

from lodestone.models.composition import softmax_in_groups


def test_softmax_in_groups_is_that_of_torch_geometric():
    generator = torch.Generator().manual_seed(0)
    logits = 10 * torch.randn(500, 3, generator=generator)
    index = torch.randint(40, (500,), generator=generator)
    weights = torch.randn(500, 3, generator=generator)
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    results = softmax_in_groups(ours, index, 41), softmax(theirs, index, num_nodes=41)
    for result in results:
        (result * weights).sum().backward()
    assert torch.equal(*results)
    assert torch.equal(ours.grad, theirs.grad)
    assert ours.grad.abs().max() > 0
