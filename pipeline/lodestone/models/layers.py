"""Building blocks of the views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

_FAR = 50.0  # keeps products clear of denormal numbers, which are many times slower


class Ragged:
    """Arrays of different lengths end to end.

    Args:
        pieces: One array per crystal.
    """

    def __init__(self, pieces: list[np.ndarray]) -> None:
        self.values = torch.from_numpy(np.concatenate(pieces)) if pieces else torch.empty(0)
        self.sizes = torch.tensor([len(piece) for piece in pieces], dtype=torch.long)
        self.starts = torch.cumsum(self.sizes, 0) - self.sizes

    def take(self, rows: Tensor) -> Tensor:
        """The pieces of some rows, end to end."""
        sizes = self.sizes[rows]
        offset = torch.repeat_interleave(self.starts[rows] - (torch.cumsum(sizes, 0) - sizes), sizes)
        return self.values[offset + torch.arange(len(offset))]

    @classmethod
    def joined(cls, parts: Sequence[Ragged]) -> Ragged:
        """The pieces of all parts, one part after the other."""
        values, sizes = (torch.cat([getattr(part, name) for part in parts]) for name in ("values", "sizes"))
        return cls.restored({"values": values, "sizes": sizes, "starts": torch.cumsum(sizes, 0) - sizes})

    def subset(self, rows: Tensor) -> Ragged:
        """The pieces of some rows, as arrays of their own."""
        sizes = self.sizes[rows]
        starts = torch.cumsum(sizes, 0) - sizes
        return Ragged.restored({"values": self.take(rows), "sizes": sizes, "starts": starts})

    def tensors(self) -> dict[str, Tensor]:
        """All its tensors, by name."""
        return {"values": self.values, "sizes": self.sizes, "starts": self.starts}

    @classmethod
    def restored(cls, tensors: Mapping[str, Tensor]) -> Self:
        """The inverse of :meth:`tensors`."""
        ragged = cls([])
        ragged.values, ragged.sizes, ragged.starts = (tensors[name] for name in ("values", "sizes", "starts"))
        return ragged


class Residual(nn.Module):
    """A perceptron whose output is added to its input, row by row.

    Args:
        width: Features.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Update features of shape ``(n, width)``."""
        changed: Tensor = x + self.change(x)
        return changed


def gaussians(values: Tensor, centers: Tensor) -> Tensor:
    """Gaussians of values, ``(n,)``, around evenly spaced centers, ``(k,)``: shape ``(n, k)``."""
    squares = ((values[:, None] - centers) / (centers[1] - centers[0])).square()
    return torch.exp(-0.5 * squares.clamp(max=_FAR))
