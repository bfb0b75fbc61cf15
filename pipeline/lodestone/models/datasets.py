"""Datasets of many crystals and predictions for them, on all cores: graphs take longer than networks of this size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import torch

from lodestone.config.sections import ViewParams
from lodestone.crystals.crystal import Crystal
from lodestone.models.base import ViewDataset
from lodestone.models.devices import chosen_device
from lodestone.models.inference import BATCH, NetworkInputs, Shown, no_latents
from lodestone.models.registry import dataset_class, make_dataset
from lodestone.models.weights import SavedView
from lodestone.runtime.parallel import n_workers, process_all

PIECE = 5000  # crystals; starting processes for fewer would take longer than building their graphs
_SHOWN = 5 * BATCH  # crystals that one process predicts at a time: whole batches, so that the result is the same


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
        piece: Most crystals that one process builds at a time; no more than these are built in this process.
    """
    if len(crystals) <= piece:
        return make_dataset(view, crystals, params, unrelaxed)
    turns = ceil(len(crystals) / (piece * n_workers()))
    size = ceil(len(crystals) / (turns * n_workers()))  # no process waits for another one
    pieces = {
        str(start): _Piece(view, params, crystals[start : start + size], unrelaxed[start : start + size])
        for start in range(0, len(crystals), size)
    }
    kind = dataset_class(view)
    built = dict(process_all(_arrays, pieces, (kind.__module__,)))
    return kind.joined(
        [kind.restored({name: torch.from_numpy(value) for name, value in built[start].items()}) for start in pieces]
    )


def shown(saved: SavedView, crystals: Sequence[Crystal], input_structure: str = "relaxed") -> Shown:
    """What the networks of a view say of crystals."""
    parts = _in_pieces(_Show(saved, input_structure), crystals)
    return Shown(
        np.concatenate([part.members for part in parts], axis=1), np.concatenate([part.latents for part in parts])
    )


def latents(saved: SavedView | None, crystals: Sequence[Crystal], input_structure: str = "relaxed") -> np.ndarray:
    """Latent vectors of crystals in the first member of a view, shape ``(n, width)``; ``(n, 0)`` without a view."""
    if saved is None or not len(crystals):
        return no_latents(len(crystals))
    return np.concatenate(_in_pieces(_Show(saved, input_structure, "latents"), crystals))


@dataclass(frozen=True)
class _Show:
    """What networks say of crystals, by a method of :class:`lodestone.models.inference.NetworkInputs`."""

    saved: SavedView
    input_structure: str
    method: str = "shown"

    def __call__(self, crystals: Sequence[Crystal]) -> Any:
        return self.of(NetworkInputs.to(self.saved, crystals, self.input_structure))

    def of(self, inputs: NetworkInputs) -> Any:
        return getattr(inputs, self.method)()


def _in_pieces(show: _Show, crystals: Sequence[Crystal]) -> list[Any]:
    """Answers to crystals in pieces: by all cores, or by one process that has a GPU."""
    if len(crystals) <= PIECE:
        return [show(crystals)]
    if chosen_device().type != "cpu":
        unrelaxed = [show.input_structure == "unrelaxed"] * len(crystals)
        dataset = build_dataset(show.saved.view, crystals, show.saved.params, unrelaxed)
        return [show.of(NetworkInputs(show.saved, crystals, dataset))]
    pieces = {str(start): crystals[start : start + _SHOWN] for start in range(0, len(crystals), _SHOWN)}
    found = dict(process_all(show, pieces, (dataset_class(show.saved.view).__module__,)))
    return [found[start] for start in pieces]


def _arrays(piece: _Piece) -> dict[str, np.ndarray]:
    """The tensors of a piece as arrays, which are sent between processes by value."""
    dataset = make_dataset(piece.view, piece.crystals, piece.params, piece.unrelaxed)
    return {name: value.numpy() for name, value in dataset.tensors().items()}
