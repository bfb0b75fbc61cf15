"""Which dataset and network belong to a view."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from pipeline.crystals.crystal import Crystal
from pipeline.errors import LodestoneError
from pipeline.params import StructureParams, ViewParams
from pipeline.views.composition import CompositionDataset, CompositionNetwork
from pipeline.views.structure import StructureDataset, StructureNetwork

Dataset = CompositionDataset | StructureDataset


def make_dataset(view: str, crystals: Sequence[Crystal], params: ViewParams) -> Dataset:
    """The dataset of a view."""
    if view == "structure":
        return StructureDataset(crystals, _structure(params))
    return CompositionDataset(crystals, params)


def make_network(view: str, params: ViewParams) -> nn.Module:
    """A freshly initialised network of a view."""
    return StructureNetwork(_structure(params)) if view == "structure" else CompositionNetwork(params)


@torch.no_grad()
def evaluate(network: nn.Module, dataset: Dataset, device: torch.device, batch_size: int = 256) -> np.ndarray:
    """Outputs of a network for a whole dataset, shape ``(n,)``."""
    network.eval()
    rows = torch.arange(len(dataset)).split(batch_size)
    with _one_thread():
        pieces = [network(dataset.batch(part).to(device)).double().cpu().numpy() for part in rows if len(part)]
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
