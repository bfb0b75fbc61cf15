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


@dataclass(frozen=True)
class Inputs:
    """Crystals of which a view is asked.

    Attributes:
        crystals: ``n`` crystals.
        input_structure: ``relaxed`` or ``unrelaxed``, all of them.
        dataset: They as the view sees them, where that is known already.
    """

    crystals: Sequence[Crystal]
    input_structure: str = "relaxed"
    dataset: ViewDataset | None = None

    def pieces(self) -> list[_Asked]:
        """Whole batches, so that the result is the same."""
        starts = range(0, len(self.crystals), _SHOWN)
        return [_Asked(self.crystals[i : i + _SHOWN], self.input_structure, self._arrays(i)) for i in starts]

    def _arrays(self, start: int) -> dict[str, np.ndarray] | None:
        if self.dataset is None:
            return None
        rows = torch.arange(start, min(start + _SHOWN, len(self.crystals)))
        return {name: value.numpy() for name, value in self.dataset.subset(rows).tensors().items()}


def shown(saved: SavedView, crystals: Sequence[Crystal], input_structure: str = "relaxed") -> Shown:
    """What the networks of a view say of crystals."""
    return shown_of_each(saved, [Inputs(crystals, input_structure)])[0]


def shown_of_each(saved: SavedView, groups: Sequence[Inputs]) -> list[Shown]:
    """What the networks of a view say of several groups of crystals, none of which is empty."""
    return [Shown.joined(parts) for parts in _in_pieces(_Show(saved), groups)]


def latents(saved: SavedView | None, crystals: Sequence[Crystal], input_structure: str = "relaxed") -> np.ndarray:
    """Latent vectors of crystals in the first member of a view, shape ``(n, width)``; ``(n, 0)`` without a view."""
    if saved is None or not len(crystals):
        return no_latents(len(crystals))
    return np.concatenate(_in_pieces(_Show(saved, "latents"), [Inputs(crystals, input_structure)])[0])


@dataclass(frozen=True)
class _Asked:
    """Some of the crystals of a group, and the tensors of their dataset as arrays, which are sent by value."""

    crystals: Sequence[Crystal]
    input_structure: str
    arrays: dict[str, np.ndarray] | None


@dataclass(frozen=True)
class _Show:
    """What networks say of crystals, by a method of :class:`lodestone.models.inference.NetworkInputs`."""

    saved: SavedView
    method: str = "shown"

    def __call__(self, asked: _Asked) -> Any:
        if asked.arrays is None:
            return self.of(NetworkInputs.to(self.saved, asked.crystals, asked.input_structure))
        tensors = {name: torch.from_numpy(value) for name, value in asked.arrays.items()}
        return self.of(NetworkInputs(self.saved, asked.crystals, dataset_class(self.saved.view).restored(tensors)))

    def of(self, inputs: NetworkInputs) -> Any:
        return getattr(inputs, self.method)()

    def here(self, inputs: Inputs) -> Any:
        """In this process; only graphs of many crystals are built by all cores."""
        dataset = inputs.dataset
        if dataset is None:
            unrelaxed = [inputs.input_structure == "unrelaxed"] * len(inputs.crystals)
            dataset = build_dataset(self.saved.view, inputs.crystals, self.saved.params, unrelaxed)
        return self.of(NetworkInputs(self.saved, inputs.crystals, dataset))


def _in_pieces(show: _Show, groups: Sequence[Inputs]) -> list[list[Any]]:
    """Answers to each group in pieces: by all cores, or by one process that has a GPU."""
    if sum(len(group.crystals) for group in groups) <= PIECE or chosen_device().type != "cpu":
        return [[show.here(group)] for group in groups]
    pieces = {f"{number} {i}": one for number, group in enumerate(groups) for i, one in enumerate(group.pieces())}
    found = dict(process_all(show, pieces, (dataset_class(show.saved.view).__module__,)))
    return [[found[key] for key in pieces if key.startswith(f"{number} ")] for number in range(len(groups))]


def _arrays(piece: _Piece) -> dict[str, np.ndarray]:
    """The tensors of a piece as arrays, which are sent between processes by value."""
    dataset = make_dataset(piece.view, piece.crystals, piece.params, piece.unrelaxed)
    return {name: value.numpy() for name, value in dataset.tensors().items()}
