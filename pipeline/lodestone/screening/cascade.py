"""Cheap networks first: who is far from the hull by the first ones is not shown to the others.

The steps are one network of compositions, one of each view, and all networks with their error; only who passes them is
made a crystal and judged again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lodestone.ensemble.ensemble import Ensemble
from lodestone.ensemble.predictor import Prediction
from lodestone.models.inference import latent_vectors, member_energies, no_latents
from lodestone.models.registry import latent_view
from lodestone.screening.batch import Batch

VIEWS = ("composition", "structure")  # those whose input is known without a crystal
ONE, ALL = "one_of_each", "ensemble"
_ERROR = 0.05  # eV/atom: what the calibrated error is taken to be by the step that compares distances with it


@dataclass(frozen=True)
class Cascade:
    """Largest predicted distance to the hull with which a candidate passes each step, eV/atom; none: all pass.

    That of all networks counts in units of its error, as P(stable) does: it is scaled to an error of 0.05 eV/atom.
    """

    thresholds: Mapping[str, float]

    def passing(self, batch: Batch) -> Batch:
        """The candidates that pass all steps, the cheapest of which comes first."""
        for name in steps_of(batch.ground.ensemble):
            if len(batch) and name in self.thresholds:
                batch = batch.subset(step(batch, name) <= self.thresholds[name])
        return batch


def steps_of(ensemble: Ensemble) -> list[str]:
    """The steps that an ensemble can take: views that need no crystal; if it has no others, their mixtures, too."""
    views = [view for view in VIEWS if view in ensemble.views]
    if set(views) != set(ensemble.views):
        return views
    return [views[0], ONE, ALL] if len(views) > 1 else [views[0], ALL]


def step(batch: Batch, name: str) -> np.ndarray:
    """Distance to the hull that a step predicts, shape ``(n,)``, eV/atom.

    Args:
        batch: Candidates.
        name: A view, for its first network; or how many networks of each view are mixed as the ensemble mixes them.
    """
    floor = batch.ground.hull.hull_energies(batch.fractions)
    if name == ALL:
        prediction = _predicted(batch)
        return _ERROR * (prediction.mean - floor) / prediction.std
    energies = _one_of_each(batch) if name == ONE else _members(batch, name, 1)[0]
    return np.asarray(energies - floor)


def _one_of_each(batch: Batch) -> np.ndarray:
    aggregation = batch.ground.ensemble.predictors["unrelaxed"].aggregation
    found = {view: _members(batch, view, 1) for view in aggregation.views}
    # Each counts as two that agree: a spread, by which some ensembles mix, takes two.
    twice = {view: np.repeat(energies, 2, axis=0) for view, energies in found.items()}
    return np.asarray(aggregation.aggregate(twice).mean)


def _predicted(batch: Batch) -> Prediction:
    """What the ensemble says, by graphs that were not searched for."""
    ensemble = batch.ground.ensemble
    predictor, latent = ensemble.predictors["unrelaxed"], latent_view(list(ensemble.views))
    members = {view: _members(batch, view, None) for view in predictor.aggregation.views}
    vectors = latent_vectors(ensemble.views[latent], batch.dataset(latent)) if latent else no_latents(len(batch))
    return predictor.predict(members, ensemble.seen.reasons_of(batch.systems, vectors, "unrelaxed"))


def _members(batch: Batch, view: str, members: int | None) -> np.ndarray:
    return member_energies(batch.ground.ensemble.views[view], batch.dataset(view), batch.fractions, members)
