"""Our two views, as the library makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lodestone.config.sections import ViewParams
from lodestone.crystals.crystal import Crystal
from lodestone.models.baseline import ElementBaseline
from lodestone.models.registry import make_dataset, make_network
from peers.learner import Prepared

if TYPE_CHECKING:
    from torch import Tensor, nn


class OursLearner:
    """One view of ours.

    Args:
        view: ``composition`` or ``structure``.
        params: Parameters of the view.
    """

    def __init__(self, view: str, params: ViewParams) -> None:
        self.view, self.params = view, params

    def translate(self, crystals: Sequence[Crystal]) -> Sequence[Crystal]:
        """Crystals as they are."""
        return crystals

    def prepare(self, inputs: Sequence[Crystal]) -> Prepared:
        """Graphs or sets."""
        import torch

        dataset = make_dataset(self.view, inputs, self.params)
        return Prepared(dataset.batch, len(dataset), torch.arange(len(dataset)))

    def network(self) -> nn.Module:
        """The network of the view."""
        return make_network(self.view, self.params)

    def outputs(self, network: nn.Module, batch: Any) -> Tensor:
        """Standardized residual energies."""
        return network(batch)

    def baseline(self, fractions: np.ndarray, energies: np.ndarray) -> ElementBaseline:
        """A sum over elements, fitted to the training set."""
        return ElementBaseline.fit(fractions, energies)
