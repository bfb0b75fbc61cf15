"""A crystal as a composition: a set of elements with their fractions, one node for each element.

Attention between the elements of a set, weighted by their amounts, as in Roost (Goodall & Lee, Nat. Commun. 11, 6280
(2020)): a complete graph in place of the structure view's bonds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from lodestone.config.registry import VIEWS
from lodestone.config.sections import HEADS, CompositionParams
from lodestone.crystals.crystal import Crystal
from lodestone.models.base import ViewDataset, ViewNetwork
from lodestone.models.element_features import ElementEmbedding
from lodestone.models.geometric import Data, scatter
from lodestone.models.layers import Ragged, Residual, gaussians

_N_AMOUNTS = 20
_TINY = 1e-16  # avoids a division by zero


class CompositionDataset(ViewDataset):
    """Elements and their fractions, laid end to end in flat arrays.

    Args:
        crystals: Crystals to describe.
        params: Parameters of the view; none changes the data.
        unrelaxed: Changes nothing: a composition is the same before and after relaxation.
    """

    def __init__(self, crystals: Sequence[Crystal], params: CompositionParams, unrelaxed: Sequence[bool]) -> None:
        counted = [np.unique(crystal.atomic_numbers, return_counts=True) for crystal in crystals]
        self.numbers = Ragged([elements.astype(np.int64) for elements, _ in counted])
        self.fractions = Ragged([(counts / counts.sum()).astype(np.float32) for _, counts in counted])

    def __len__(self) -> int:
        return len(self.numbers.sizes)

    def batch(self, rows: Tensor) -> Data:
        """The crystals of some rows as one disconnected torch-geometric graph, complete within each crystal."""
        sizes = self.numbers.sizes[rows]
        crystal = torch.repeat_interleave(torch.arange(len(rows)), sizes)
        first = (torch.cumsum(sizes, 0) - sizes)[crystal]
        target = torch.repeat_interleave(torch.arange(len(crystal)), sizes[crystal])
        before = (torch.cumsum(sizes[crystal], 0) - sizes[crystal])[target]
        return Data(
            z=self.numbers.take(rows),
            fraction=self.fractions.take(rows),
            edge_index=torch.stack([first[target] + torch.arange(len(target)) - before, target]),
            batch=crystal,
            n_crystals=len(rows),
        )


class SetAttention(nn.Module):
    """One layer: messages from pairs of elements, gathered by learned attention times amounts, then each on its own.

    Args:
        width: Features per element; a multiple of 4, the number of heads.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.receiver = nn.Linear(width, width)
        self.sender = nn.Linear(width, width)
        self.gate = nn.Linear(width, HEADS)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        self.alone = Residual(width)

    def forward(self, x: Tensor, edge_index: Tensor, fraction: Tensor) -> Tensor:
        """Update elements, ``(n, width)``, whose fractions are of shape ``(n,)``."""
        h = self.norm(x)
        source, target = edge_index
        hidden = nn.functional.silu(self.receiver(h)[target] + self.sender(h)[source])
        message = nn.functional.silu(self.value(hidden))
        gathered = weighted_attention(message, self.gate(hidden), weights=fraction[source], index=target, size=len(x))
        updated: Tensor = self.alone(x + self.output(gathered))
        return updated


@VIEWS.register("composition", settings=CompositionParams)
class CompositionNetwork(ViewNetwork):
    """Elements to one number per crystal.

    Args:
        params: Parameters of the view.
    """

    dataset = CompositionDataset
    amounts: Tensor

    def __init__(self, params: CompositionParams) -> None:
        super().__init__()
        width = params.width
        self.embedding = ElementEmbedding(width)
        self.register_buffer("amounts", torch.linspace(0, 1, _N_AMOUNTS))
        self.amount = nn.Sequential(nn.Linear(_N_AMOUNTS, width), nn.SiLU(), nn.Linear(width, width))
        self.layers = nn.ModuleList(SetAttention(width) for _ in range(params.layers))
        self.norm = nn.LayerNorm(width)
        self.gate = nn.Linear(width, HEADS)
        self.value = nn.Linear(width, width)
        self.whole = nn.Sequential(Residual(width), Residual(width), nn.LayerNorm(width))
        self.head = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1))

    def forward(self, batch: Data) -> Tensor:
        """Standardized residual formation energy per atom, shape ``(b,)``."""
        return self.head(self.latent(batch))[:, 0]

    def latent(self, batch: Data) -> Tensor:
        """The features of each composition from which the energy is computed, shape ``(b, width)``."""
        x = self.embedding(batch.z) + self.amount(gaussians(batch.fraction, self.amounts))
        for layer in self.layers:
            x = layer(x, batch.edge_index, batch.fraction)
        h = self.norm(x)
        pooled = weighted_attention(
            self.value(h), self.gate(h), weights=batch.fraction, index=batch.batch, size=batch.n_crystals
        )
        latent: Tensor = self.whole(pooled)
        return latent


def weighted_attention(values: Tensor, logits: Tensor, *, weights: Tensor, index: Tensor, size: int) -> Tensor:
    """Sums of values by a softmax with weights (Roost, equation 4), each head over its share of the features.

    Args:
        values: Shape ``(n, width)``.
        logits: Shape ``(n, heads)``.
        weights: Amounts, positive, shape ``(n,)``.
        index: Where each value goes, shape ``(n,)``.
        size: Number of sums.

    Returns:
        Shape ``(size, width)``.
    """
    attention = softmax_in_groups(logits + weights.log()[:, None], index, size)
    shared = values.view(len(values), logits.shape[1], -1) * attention[:, :, None]
    return scatter(shared.flatten(1), index, dim_size=size, reduce="sum")


def softmax_in_groups(logits: Tensor, index: Tensor, size: int) -> Tensor:
    """Softmax of each column over the rows of a group; bit by bit that of torch-geometric, which imports ONNX for it.

    Args:
        logits: Shape ``(n, k)``.
        index: Group of each row, shape ``(n,)``.
        size: Number of groups.

    Returns:
        Shape ``(n, k)``.
    """
    rows, largest = index[:, None].expand_as(logits), logits.new_zeros(size, logits.shape[1])
    largest.scatter_reduce_(0, rows, logits.detach(), "amax", include_self=False)
    powers = (logits - largest.index_select(0, index)).exp()
    total = scatter(powers, index, dim_size=size, reduce="sum") + _TINY
    return powers / total.index_select(0, index)
