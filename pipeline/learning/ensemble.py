"""Predictions of many networks: the members of both views as one formation energy with a calibrated error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from pipeline.crystals.crystal import Crystal
from pipeline.layout import RoundLayout
from pipeline.learning.novelty import Novelty
from pipeline.learning.rule import Prediction, Rule, load_rules
from pipeline.learning.storage import SavedView, load_view
from pipeline.stability.compositions import atomic_fractions

if TYPE_CHECKING:
    import torch
    from torch import nn

    from pipeline.learning.networks import Dataset


@dataclass(frozen=True)
class Ensemble:
    """Both views, how they are combined for each geometry, and what they have seen: ready to predict."""

    composition: SavedView
    structure: SavedView
    rules: Mapping[str, Rule]
    seen: Novelty

    def predict(self, crystals: Sequence[Crystal], geometry: str = "relaxed") -> Prediction:
        """Predict formation energies of relaxed crystals, with calibrated errors.

        Args:
            crystals: Crystals, or guesses of them.
            geometry: ``relaxed``, or ``unrelaxed`` for guesses, which are predicted as what they would relax to.
        """
        novelty = self.seen.reasons(crystals, latents(self.structure, crystals, geometry), geometry)
        composition, structure = (predict_members(v, crystals, geometry) for v in (self.composition, self.structure))
        return self.rules[geometry].predict(composition, structure, novelty)


def predict_members(saved: SavedView, crystals: Sequence[Crystal], geometry: str = "relaxed") -> np.ndarray:
    """Predictions of every member of a view, shape ``(m, n)``, eV/atom."""
    from pipeline.learning.networks import evaluate

    dataset = _dataset(saved, crystals, geometry)
    outputs = np.stack([evaluate(network, dataset, device) for network, device in _networks(saved)])
    return saved.baseline.restore(atomic_fractions([crystal.atomic_numbers for crystal in crystals]), outputs)


def latents(saved: SavedView, crystals: Sequence[Crystal], geometry: str = "relaxed") -> np.ndarray:
    """Latent vectors of crystals in the first member of a view, shape ``(n, width)``, float32."""
    from pipeline.learning.networks import in_batches

    network, device = next(_networks(saved))
    network.eval()
    found = in_batches(cast(Any, network).latent, _dataset(saved, crystals, geometry), device)
    return found.reshape(len(crystals), -1).astype(np.float32)


def _dataset(saved: SavedView, crystals: Sequence[Crystal], geometry: str) -> Dataset:
    from pipeline.learning.networks import make_dataset

    return make_dataset(saved.view, crystals, saved.params, [geometry == "unrelaxed"] * len(crystals))


def _networks(saved: SavedView) -> Iterator[tuple[nn.Module, torch.device]]:
    """One network on its device, which becomes each member in turn."""
    import torch

    from pipeline.learning.devices import chosen_device
    from pipeline.learning.networks import make_network

    device = chosen_device()
    network = make_network(saved.view, saved.params).to(device)
    for weights in saved.members:
        network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
        yield network, device


def load_ensemble(folder: Path) -> Ensemble:
    """The ensemble of one round's folder."""
    files = RoundLayout(folder)
    views = load_view(files.models("composition")), load_view(files.models("structure"))
    return Ensemble(*views, load_rules(files.ensemble), Novelty.load(files.novelty))
