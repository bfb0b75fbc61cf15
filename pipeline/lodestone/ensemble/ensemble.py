"""Predictions of many networks: the members of both views as one formation energy with a calibrated error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lodestone.crystals.crystal import Crystal
from lodestone.ensemble.out_of_distribution import OutOfDistribution
from lodestone.ensemble.predictor import EnsemblePredictor, Prediction, load_predictors
from lodestone.models.weights import SavedView, load_view
from lodestone.tables.layout import RoundLayout

if TYPE_CHECKING:
    pass

from lodestone.models.inference import NetworkInputs, predict_members


@dataclass(frozen=True)
class Ensemble:
    """Both views, how they are combined for each geometry, and what they have seen: ready to predict."""

    composition: SavedView
    structure: SavedView
    predictors: Mapping[str, EnsemblePredictor]
    seen: OutOfDistribution

    def predict(self, crystals: Sequence[Crystal], input_structure: str = "relaxed") -> Prediction:
        """Predict formation energies of relaxed crystals, with calibrated errors.

        Args:
            crystals: Relaxed or unrelaxed crystals.
            input_structure: ``relaxed``, or ``unrelaxed`` for crystals that are predicted as what they would relax to.
        """
        composition = predict_members(self.composition, crystals, input_structure)
        shown = NetworkInputs.to(self.structure, crystals, input_structure)
        out_of_distribution = self.seen.reasons(crystals, shown.latents(), input_structure)
        return self.predictors[input_structure].predict(composition, shown.members(), out_of_distribution)


def load_ensemble(folder: str | Path) -> Ensemble:
    """The ensemble of one round's folder."""
    files = RoundLayout(Path(folder))
    views = load_view(files.models("composition")), load_view(files.models("structure"))
    return Ensemble(*views, load_predictors(files.ensemble), OutOfDistribution.load(files.out_of_distribution))
