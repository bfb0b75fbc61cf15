"""Predictions of many networks: the members of both views as one formation energy with a calibrated error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lodestone.crystals.crystal import Crystal
from lodestone.ensemble.out_of_distribution import Novelty
from lodestone.ensemble.predictor import Prediction, Rule, load_rules
from lodestone.models.weights import SavedView, load_view
from lodestone.tables.layout import RoundLayout

if TYPE_CHECKING:
    pass

from lodestone.models.inference import Shown, predict_members


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


def load_ensemble(folder: Path) -> Ensemble:
    """The ensemble of one round's folder."""
    files = RoundLayout(folder)
    views = load_view(files.models("composition")), load_view(files.models("structure"))
    return Ensemble(*views, load_rules(files.ensemble), Novelty.load(files.novelty))
