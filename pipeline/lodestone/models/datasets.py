"""Datasets of many crystals, built on all cores: graphs take longer than a short training of networks on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lodestone.config.sections import ViewParams
from lodestone.crystals.crystal import Crystal
from lodestone.models.base import ViewDataset
from lodestone.models.inference import NetworkInputs, no_latents
from lodestone.models.registry import dataset_class, make_dataset
from lodestone.models.weights import SavedView
from lodestone.runtime.parallel import process_all

PIECE = 5000  # crystals; starting processes for fewer would take longer than building their graphs


@dataclass(frozen=True)
class _Piece:
    view: str
    params: ViewParams
    crystals: Sequence[Crystal]
    unrelaxed: Sequence[bool]


def build_dataset(
    view: str, crystals: Sequence[Crystal], params: ViewParams, unrelaxed: Sequence[bool], *, piece: int = PIECE
) -> ViewDataset:
    """The dataset of a view, as :func:`lodestone.models.registry.make_dataset` builds it.

    Args:
        view: Name of the view.
        crystals: ``n`` crystals.
        params: Parameters of the view.
        unrelaxed: Which crystals are unrelaxed, shape ``(n,)``.
        piece: Crystals that one process builds at a time; no more than these are built in this process.
    """
    if len(crystals) <= piece:
        return make_dataset(view, crystals, params, unrelaxed)
    pieces = {
        str(start): _Piece(view, params, crystals[start : start + piece], unrelaxed[start : start + piece])
        for start in range(0, len(crystals), piece)
    }
    kind = dataset_class(view)
    built = dict(process_all(_arrays, pieces, (kind.__module__,)))
    return kind.joined(
        [kind.restored({name: torch.from_numpy(value) for name, value in built[start].items()}) for start in pieces]
    )


def network_inputs(saved: SavedView, crystals: Sequence[Crystal], input_structure: str = "relaxed") -> NetworkInputs:
    """As :meth:`lodestone.models.inference.NetworkInputs.to`, on all cores."""
    unrelaxed = [input_structure == "unrelaxed"] * len(crystals)
    return NetworkInputs(saved, crystals, build_dataset(saved.view, crystals, saved.params, unrelaxed))


def latents(saved: SavedView | None, crystals: Sequence[Crystal], input_structure: str = "relaxed") -> np.ndarray:
    """Latent vectors of crystals in the first member of a view, shape ``(n, width)``; ``(n, 0)`` without a view."""
    if saved is None or not len(crystals):
        return no_latents(len(crystals))
    return network_inputs(saved, crystals, input_structure).latents()


def _arrays(piece: _Piece) -> dict[str, np.ndarray]:
    """The tensors of a piece as arrays, which are sent between processes by value."""
    dataset = make_dataset(piece.view, piece.crystals, piece.params, piece.unrelaxed)
    return {name: value.numpy() for name, value in dataset.tensors().items()}
