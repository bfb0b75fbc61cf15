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
        composition = predict_members(self.composition, crystals, geometry)
        shown = Shown.to(self.structure, crystals, geometry)
        novelty = self.seen.reasons(crystals, shown.latents(), geometry)
        return self.rules[geometry].predict(composition, shown.members(), novelty)


@dataclass(frozen=True)
class Shown:
    """Crystals as a view sees them: their graphs are built once, whatever is asked of the networks."""

    saved: SavedView
    crystals: Sequence[Crystal]
    dataset: Dataset

    @classmethod
    def to(cls, saved: SavedView, crystals: Sequence[Crystal], geometry: str = "relaxed") -> Shown:
        """Show crystals to a view, as ``relaxed`` or as ``unrelaxed`` ones."""
        from pipeline.learning.networks import make_dataset

        unrelaxed = [geometry == "unrelaxed"] * len(crystals)
        return cls(saved, crystals, make_dataset(saved.view, crystals, saved.params, unrelaxed))

    def members(self) -> np.ndarray:
        """Predictions of every member, shape ``(m, n)``, eV/atom."""
        from pipeline.learning.networks import evaluate

        outputs = np.stack([evaluate(network, self.dataset, device) for network, device in _networks(self.saved)])
        fractions = atomic_fractions([crystal.atomic_numbers for crystal in self.crystals])
        return self.saved.baseline.restore(fractions, outputs)

    def latents(self) -> np.ndarray:
        """Latent vectors in the first member, shape ``(n, width)``, float32."""
        from pipeline.learning.networks import in_batches

        network, device = next(_networks(self.saved))
        network.eval()
        found = in_batches(cast(Any, network).latent, self.dataset, device)
        return found.reshape(len(self.crystals), -1).astype(np.float32)


def predict_members(saved: SavedView, crystals: Sequence[Crystal], geometry: str = "relaxed") -> np.ndarray:
    """Predictions of every member of a view, shape ``(m, n)``, eV/atom."""
    return Shown.to(saved, crystals, geometry).members()


def latents(saved: SavedView, crystals: Sequence[Crystal], geometry: str = "relaxed") -> np.ndarray:
    """Latent vectors of crystals in the first member of a view, shape ``(n, width)``, float32."""
    return Shown.to(saved, crystals, geometry).latents()


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
