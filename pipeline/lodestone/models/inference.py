"""Predictions of many networks, in batches that fit the memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from lodestone.crystals.compositions import atomic_fractions
from lodestone.crystals.crystal import Crystal
from lodestone.models.base import ViewDataset
from lodestone.models.devices import FittingBatches, chosen_device
from lodestone.models.registry import latent_view, make_dataset, make_network
from lodestone.models.weights import SavedView

BATCH = 256  # crystals


def evaluate(network: nn.Module, dataset: ViewDataset, device: torch.device, batch_size: int = BATCH) -> np.ndarray:
    """Outputs of a network for a whole dataset, shape ``(n,)``."""
    network.eval()
    return in_batches(network, dataset, device, batch_size)


@torch.no_grad()
def in_batches(
    function: Callable[[Any], torch.Tensor],
    dataset: ViewDataset,
    device: torch.device,
    batch_size: int = BATCH,
    rows: torch.Tensor | None = None,
) -> np.ndarray:
    """Apply a function of batches to a whole dataset, in smaller batches where memory runs out.

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

    def evaluated(piece: torch.Tensor) -> np.ndarray:
        return function(dataset.batch(piece).to(device)).cpu().double().numpy()

    with _one_thread():
        batches = [memory.run(batch, evaluated) for batch in rows.split(batch_size)]
    pieces = [piece for batch in batches for piece in batch]
    return np.concatenate(pieces) if pieces else np.empty(0)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Use one thread: sums over several threads depend on their number, and predictions must not."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Shown:
    """What the networks of a view say of ``n`` crystals.

    Attributes:
        members: Predictions of every member, shape ``(m, n)``, eV/atom.
        latents: Latent vectors in the first member, shape ``(n, width)``, float32; width 0 of a view that has none.
    """

    members: np.ndarray
    latents: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Shown]) -> Shown:
        """What they say of crystals in several parts, one after the other."""
        latents = np.concatenate([part.latents for part in parts])
        return cls(np.concatenate([part.members for part in parts], axis=1), latents)


@dataclass(frozen=True)
class NetworkInputs:
    """Crystals as a view sees them: their graphs are built once, for predictions and latent vectors."""

    saved: SavedView
    crystals: Sequence[Crystal]
    dataset: ViewDataset

    @classmethod
    def to(cls, saved: SavedView, crystals: Sequence[Crystal], input_structure: str = "relaxed") -> NetworkInputs:
        """Prepare crystals for a view, as ``relaxed`` or as ``unrelaxed`` ones."""
        unrelaxed = [input_structure == "unrelaxed"] * len(crystals)
        return cls(saved, crystals, make_dataset(saved.view, crystals, saved.params, unrelaxed))

    def shown(self) -> Shown:
        """Predictions and latent vectors."""
        has_any = latent_view([self.saved.view]) is not None
        return Shown(self.members(), self.latents() if has_any else no_latents(len(self.crystals)))

    def members(self) -> np.ndarray:
        """Predictions of every member, shape ``(m, n)``, eV/atom."""
        return member_energies(
            self.saved, self.dataset, atomic_fractions([crystal.atomic_numbers for crystal in self.crystals])
        )

    def latents(self) -> np.ndarray:
        """Latent vectors in the first member, shape ``(n, width)``, float32."""
        return latent_vectors(self.saved, self.dataset)


def member_energies(
    saved: SavedView, dataset: ViewDataset, fractions: np.ndarray, members: int | None = None
) -> np.ndarray:
    """Predictions for a dataset, shape ``(m, n)``, eV/atom.

    Args:
        saved: Networks of a view.
        dataset: ``n`` crystals as this view sees them.
        fractions: Their atomic fractions, shape ``(n, N_ELEMENTS)``.
        members: Only so many networks, the first ones.
    """
    chosen = islice(_networks(saved), members)
    return saved.baseline.restore(
        fractions, np.stack([evaluate(network, dataset, device) for network, device in chosen])
    )


def latent_vectors(saved: SavedView, dataset: ViewDataset) -> np.ndarray:
    """Latent vectors of a dataset of ``n`` crystals in the first member of a view, shape ``(n, width)``, float32."""
    network, device = next(_networks(saved))
    network.eval()
    vectors = in_batches(cast(Any, network).latent, dataset, device)
    return vectors.reshape(len(dataset), -1).astype(np.float32)


def predict_members(saved: SavedView, crystals: Sequence[Crystal], input_structure: str = "relaxed") -> np.ndarray:
    """Predictions of every member of a view, shape ``(m, n)``, eV/atom."""
    return NetworkInputs.to(saved, crystals, input_structure).members()


def no_latents(n: int) -> np.ndarray:
    """Latent vectors of ``n`` crystals where no view has any, shape ``(n, 0)``: none is far from another."""
    return np.zeros((n, 0), dtype=np.float32)


def _networks(saved: SavedView) -> Iterator[tuple[nn.Module, torch.device]]:
    """One network on its device, which becomes each member in turn."""
    device = chosen_device()
    network = make_network(saved.view, saved.params).to(device)
    for weights in saved.members:
        network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
        yield network, device
