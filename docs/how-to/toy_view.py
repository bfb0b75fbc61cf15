"""A third view of a crystal: means and spreads of properties of its elements, and a perceptron on them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from lodestone.config.registry import VIEWS
from lodestone.config.sections import ViewParams
from lodestone.crystals.compositions import atomic_fractions
from lodestone.crystals.crystal import Crystal
from lodestone.models.base import ViewDataset, ViewNetwork
from lodestone.models.element_features import element_features


class ToyParams(ViewParams):
    """Settings of the toy view: those of every view, and one of its own."""

    statistics: Literal["mean", "mean_and_spread"] = Field(
        "mean_and_spread", description="what is taken of the properties of the elements"
    )


class ToyDataset(ViewDataset):
    """One row of features for each crystal.

    Args:
        crystals: Crystals to describe.
        params: Parameters of the view.
        unrelaxed: Of no interest here: the features are the same before and after relaxation.
    """

    def __init__(self, crystals: Sequence[Crystal], params: ToyParams, unrelaxed: Sequence[bool]) -> None:
        fractions = torch.from_numpy(atomic_fractions([crystal.atomic_numbers for crystal in crystals])).float()
        properties = element_features()[: fractions.shape[1]]
        mean = fractions @ properties
        spread = (fractions @ properties.square() - mean.square()).clamp(min=0).sqrt()
        self.features = mean if params.statistics == "mean" else torch.cat([mean, spread], dim=1)

    def __len__(self) -> int:
        return len(self.features)

    def batch(self, rows: Tensor) -> Tensor:
        """Features of some crystals, shape ``(b, d)``."""
        return self.features[rows]


@VIEWS.register("toy", settings=ToyParams)
class ToyNetwork(ViewNetwork):
    """Features to one number per crystal.

    Args:
        params: ``width`` and ``layers`` are those of the perceptron.
    """

    dataset = ToyDataset

    def __init__(self, params: ToyParams) -> None:
        super().__init__()
        size = element_features().shape[1] * (1 if params.statistics == "mean" else 2)
        sizes = [size, *[params.width] * params.layers]
        hidden = [part for pair in pairwise(sizes) for part in (nn.Linear(*pair), nn.SiLU())]
        self.network = nn.Sequential(*hidden, nn.Linear(sizes[-1], 1))

    def forward(self, batch: Tensor) -> Tensor:
        """Standardized residual formation energy per atom, shape ``(b,)``."""
        return self.network(batch)[:, 0]
