"""A crystal as a composition: a set of elements with their fractions.

Attention between the elements of a set, weighted by their amounts, as in Roost (Goodall & Lee, Nat. Commun. 11, 6280
(2020)).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.crystals.crystal import Crystal
from pipeline.params import ViewParams
from pipeline.views.elements import ElementEmbedding


@dataclass(frozen=True)
class CompositionBatch:
    """Sets of elements, padded with fraction 0.

    Attributes:
        elements: Atomic numbers, shape ``(b, k)``.
        fractions: Atomic fractions, shape ``(b, k)``; rows sum to 1.
    """

    elements: Tensor
    fractions: Tensor

    def to(self, device: torch.device) -> CompositionBatch:
        """The batch on a device."""
        return CompositionBatch(self.elements.to(device), self.fractions.to(device))


class CompositionDataset:
    """Compositions of crystals as padded arrays.

    Args:
        crystals: Crystals to describe.
        params: Parameters of the view; none changes the data.
    """

    def __init__(self, crystals: Sequence[Crystal], params: ViewParams) -> None:
        counted = [np.unique(crystal.atomic_numbers, return_counts=True) for crystal in crystals]
        width = max((len(elements) for elements, _ in counted), default=1)
        self.elements = torch.zeros((len(crystals), width), dtype=torch.long)
        self.fractions = torch.zeros((len(crystals), width))
        for row, (elements, counts) in enumerate(counted):
            self.elements[row, : len(elements)] = torch.from_numpy(elements.astype(np.int64))
            self.fractions[row, : len(elements)] = torch.from_numpy(counts / counts.sum()).float()

    def __len__(self) -> int:
        return len(self.elements)

    def batch(self, rows: Tensor) -> CompositionBatch:
        """The crystals of some rows as one batch."""
        fractions = self.fractions[rows]
        used = int((fractions > 0).sum(dim=1).max())
        return CompositionBatch(self.elements[rows, :used], fractions[:, :used])


class SetAttention(nn.Module):
    """Each element gathers from the others, weighted by learned attention times their amounts.

    Args:
        width: Features per element.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.receiver = nn.Linear(width, width)
        self.sender = nn.Linear(width, width)
        self.gate = nn.Linear(width, 1)
        self.message = nn.Linear(width, width)

    def forward(self, x: Tensor, fractions: Tensor) -> Tensor:
        """Update features of shape ``(b, k, width)`` given fractions of shape ``(b, k)``."""
        h = self.norm(x)
        pair = nn.functional.silu(self.receiver(h)[:, :, None] + self.sender(h)[:, None, :])
        weights = weighted_softmax(self.gate(pair)[..., 0], fractions[:, None, :])
        return x + torch.einsum("bij,bijw->biw", weights, self.message(pair))


class CompositionNetwork(nn.Module):
    """Elements to one number per crystal.

    Args:
        params: Parameters of the view.
    """

    def __init__(self, params: ViewParams) -> None:
        super().__init__()
        self.embedding = ElementEmbedding(params.width)
        self.amount = nn.Linear(1, params.width)
        self.layers = nn.ModuleList(SetAttention(params.width) for _ in range(params.layers))
        self.norm = nn.LayerNorm(params.width)
        self.gate = nn.Linear(params.width, 1)
        self.head = nn.Sequential(nn.Linear(params.width, params.width), nn.SiLU(), nn.Linear(params.width, 1))

    def forward(self, batch: CompositionBatch) -> Tensor:
        """Standardised residual formation energy per atom, shape ``(b,)``."""
        x = self.embedding(batch.elements) + self.amount(batch.fractions[..., None])
        for layer in self.layers:
            x = layer(x, batch.fractions)
        x = self.norm(x)
        weights = weighted_softmax(self.gate(x)[..., 0], batch.fractions)
        return self.head(torch.einsum("bk,bkw->bw", weights, x))[..., 0]


def weighted_softmax(logits: Tensor, fractions: Tensor) -> Tensor:
    """Softmax over the last axis with weights; entries of weight 0 get 0 (Roost, equation 4)."""
    peak = logits.masked_fill(fractions == 0, -torch.inf).amax(dim=-1, keepdim=True)
    scores = fractions * torch.exp((logits - peak).clamp(max=0.0))
    return scores / scores.sum(dim=-1, keepdim=True)
