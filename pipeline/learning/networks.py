"""Which dataset and network belong to a view."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from pipeline.crystals.crystal import Crystal
from pipeline.errors import LodestoneError
from pipeline.learning.devices import FittingBatches
from pipeline.params import StructureParams, ViewParams
from pipeline.views.composition import CompositionDataset, CompositionNetwork
from pipeline.views.structure import StructureDataset, StructureNetwork

Dataset = CompositionDataset | StructureDataset


def make_dataset(
    view: str, crystals: Sequence[Crystal], params: ViewParams, unrelaxed: Sequence[bool] | None = None
) -> Dataset:
    """The dataset of a view; a composition is the same before and after relaxation."""
    if view == "structure":
        return StructureDataset(crystals, _structure(params), unrelaxed)
    return CompositionDataset(crystals, params)


def make_network(view: str, params: ViewParams) -> nn.Module:
    """A freshly initialised network of a view."""
    return StructureNetwork(_structure(params)) if view == "structure" else CompositionNetwork(params)


def evaluate(network: nn.Module, dataset: Dataset, device: torch.device, batch_size: int = 256) -> np.ndarray:
    """Outputs of a network for a whole dataset, shape ``(n,)``."""
    network.eval()
    return in_batches(network, dataset, device, batch_size)


@torch.no_grad()
def in_batches(
    function: Callable[[Any], torch.Tensor],
    dataset: Dataset,
    device: torch.device,
    batch_size: int = 256,
    rows: torch.Tensor | None = None,
) -> np.ndarray:
    """A function of batches for a whole dataset, in smaller batches where memory runs out.

    Args:
        function: From a batch of ``b`` crystals to a tensor of shape ``(b, ...)``, e.g. ``network.latent``.
        dataset: ``n`` crystals.
        device: Where to compute.
        batch_size: Crystals in a batch.
        rows: Only these crystals, shape ``(n,)``.

    Returns:
        Shape ``(n, ...)``, float64.
    """
    memory, rows = FittingBatches(batch_size), torch.arange(len(dataset)) if rows is None else rows

    def part(piece: torch.Tensor) -> np.ndarray:
        return function(dataset.batch(piece).to(device)).cpu().double().numpy()

    with _one_thread():
        batches = [memory.run(batch, part) for batch in rows.split(batch_size)]
    pieces = [piece for batch in batches for piece in batch]
    return np.concatenate(pieces) if pieces else np.empty(0)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums over several threads depend on their number, and the predictions must not."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _structure(params: Any) -> StructureParams:
    if not isinstance(params, StructureParams):
        raise LodestoneError(
            "the structure view needs cutoff and neighbours", "use the section `structure` of params.yaml"
        )
    return params
