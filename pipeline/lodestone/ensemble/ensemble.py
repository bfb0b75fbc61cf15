"""Predict with many networks: the members of all views give one formation energy with a calibrated error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.soundness import refuse_unsound
from lodestone.ensemble.out_of_distribution import OutOfDistribution
from lodestone.ensemble.predictor import FORMULA, EnsemblePredictor, Prediction, load_predictors
from lodestone.errors import LodestoneError
from lodestone.models.inference import NetworkInputs, no_latents
from lodestone.models.registry import latent_view, required_latent_view
from lodestone.models.weights import SavedView, load_view
from lodestone.tables.layout import RoundLayout


@dataclass(frozen=True)
class Ensemble:
    """Views, how they are combined for each input structure, and what they were trained on: ready to predict."""

    views: Mapping[str, SavedView]
    predictors: Mapping[str, EnsemblePredictor]
    seen: OutOfDistribution

    def predict(self, crystals: Sequence[Crystal], input_structure: str = "relaxed") -> Prediction:
        """Predict formation energies of relaxed crystals, with calibrated errors.

        Args:
            crystals: Relaxed or unrelaxed crystals.
            input_structure: ``relaxed``, or ``unrelaxed`` to predict the energies that crystals would relax to.

        Raises:
            LodestoneError: If one of them is not a valid crystal; validation of a snapshot checks the same.
        """
        refuse_unsound(crystals)
        inputs = {view: NetworkInputs.to(saved, crystals, input_structure) for view, saved in self.views.items()}
        members = {view: network_inputs.members() for view, network_inputs in inputs.items()}
        latent = latent_view(list(self.views))
        latents = inputs[latent].latents() if latent else no_latents(len(crystals))
        reasons = self.seen.reasons(crystals, latents, input_structure)
        return self.predictors[input_structure].predict(members, reasons)

    def latents(self, crystals: Sequence[Crystal], input_structure: str = "relaxed") -> np.ndarray:
        """Latent vectors of crystals in the view that decides what is out of distribution.

        Args:
            crystals: As for :meth:`predict`.
            input_structure: Likewise.

        Returns:
            Shape ``(n, width)``, in units of the distance at which a crystal is far from all training crystals.

        Raises:
            LodestoneError: If no view has latent vectors.
        """
        latent = required_latent_view(list(self.views))
        vectors = NetworkInputs.to(self.views[latent], crystals, input_structure).latents()
        return vectors / np.float32(self.seen.thresholds[input_structure])

    @property
    def judges_formulas(self) -> bool:
        """Whether there is a calibration for formulas without a structure."""
        return FORMULA in self.predictors

    def predict_formulas(self, formulas: Sequence[Crystal]) -> Prediction:
        """Predict formation energies of formulas by the views that see no atoms: averages over crystals of a formula.

        Args:
            formulas: Crystals of which only the elements and their numbers are read.

        Raises:
            LodestoneError: If the ensemble has no calibration for formulas.
        """
        if not self.judges_formulas:
            raise LodestoneError(
                "this ensemble cannot judge a formula without a structure: no view of compositions alone, or made "
                "before formulas had a calibration",
                "give a structure, or make the ensemble again with this version: `dvc repro`",
            )
        predictor = self.predictors[FORMULA]
        members = {view: NetworkInputs.to(self.views[view], formulas).members() for view in predictor.aggregation.views}
        return predictor.predict(members, self.seen.reasons(formulas, None))


def load_ensemble(folder: str | Path) -> Ensemble:
    """The ensemble of one round's folder."""
    files = RoundLayout(Path(folder))
    predictors = load_predictors(files.ensemble)
    views = predictors["relaxed"].aggregation.views
    return Ensemble(
        views={view: load_view(files.models(view)) for view in views},
        predictors=predictors,
        seen=OutOfDistribution.load(files.out_of_distribution),
    )
