"""Predictions of many networks: the members of each view, and the weighted average of the views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pipeline.crystals.crystal import Crystal
from pipeline.layout import RoundLayout
from pipeline.learning.storage import SavedView, load_view
from pipeline.stability.compositions import atomic_fractions
from pipeline.tables import read_json

_GRID = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class Prediction:
    """Formation energies of ``n`` crystals, all of shape ``(n,)``, eV/atom.

    Attributes:
        mean: Weighted average of the views.
        std: Spread of the ensemble, scaled to the errors on the validation crystals.
        composition: Mean of the composition view.
        structure: Mean of the structure view.
    """

    mean: np.ndarray
    std: np.ndarray
    composition: np.ndarray
    structure: np.ndarray


@dataclass(frozen=True)
class Combination:
    """How the views are combined.

    Attributes:
        weight_structure: Weight of the structure view, 0 to 1; the composition view has the rest.
        std_scale: Factor from the spread of the members to the size of the errors.
    """

    weight_structure: float
    std_scale: float

    @classmethod
    def fit(cls, composition: np.ndarray, structure: np.ndarray, true: np.ndarray) -> Combination:
        """Choose the weight with the least MAE, and the scale for which errors over spread have unit variance.

        Args:
            composition: Predictions of the members, shape ``(m, n)``.
            structure: Likewise, shape ``(m, n)``.
            true: Labels, shape ``(n,)``.
        """
        by_structure = structure.mean(axis=0) - true
        by_composition = composition.mean(axis=0) - true
        maes = np.abs(_GRID[:, None] * by_structure + (1 - _GRID[:, None]) * by_composition).mean(axis=1)
        weight = float(_GRID[np.argmin(maes)])
        combined = cls(weight, 1.0).combine(composition, structure)
        ratio = (combined.mean - true) / np.maximum(combined.std, 1e-9)
        return cls(weight, float(np.sqrt(np.mean(ratio**2))))

    def combine(self, composition: np.ndarray, structure: np.ndarray) -> Prediction:
        """Combine members of both views, shapes ``(m, n)``."""
        w = self.weight_structure
        mean = w * structure.mean(axis=0) + (1 - w) * composition.mean(axis=0)
        variance = w**2 * structure.var(axis=0, ddof=1) + (1 - w) ** 2 * composition.var(axis=0, ddof=1)
        return Prediction(mean, self.std_scale * np.sqrt(variance), composition.mean(axis=0), structure.mean(axis=0))

    def as_dict(self) -> dict[str, float]:
        """Weights as plain numbers."""
        return asdict(self)


@dataclass(frozen=True)
class Ensemble:
    """Both views and their combination, ready to predict."""

    composition: SavedView
    structure: SavedView
    combination: Combination

    def predict(self, crystals: Sequence[Crystal]) -> Prediction:
        """Predict formation energies of crystals."""
        return self.combination.combine(
            predict_members(self.composition, crystals), predict_members(self.structure, crystals)
        )


def predict_members(saved: SavedView, crystals: Sequence[Crystal]) -> np.ndarray:
    """Predictions of every member of a view, shape ``(m, n)``, eV/atom."""
    import torch

    from pipeline.learning.networks import evaluate, make_dataset, make_network

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dataset = make_dataset(saved.view, crystals, saved.params)
    network = make_network(saved.view, saved.params).to(device)
    outputs = []
    for weights in saved.members:
        network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
        outputs.append(evaluate(network, dataset, device))
    return saved.baseline.restore(atomic_fractions([crystal.atomic_numbers for crystal in crystals]), np.stack(outputs))


def load_ensemble(folder: Path) -> Ensemble:
    """The ensemble of one round's folder."""
    layout = RoundLayout(folder)
    combination = Combination(**read_json(layout.ensemble))
    return Ensemble(load_view(layout.models("composition")), load_view(layout.models("structure")), combination)
