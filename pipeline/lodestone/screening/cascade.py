"""Cheap networks first: who is far from the hull by the first ones is not shown to the others.

The steps are one network of compositions, one of each view, and all networks; only who passes them is made a crystal
and judged with its error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lodestone.ensemble.ensemble import Ensemble
from lodestone.models.inference import member_energies
from lodestone.screening.batch import Batch

VIEWS = ("composition", "structure")  # those whose input is known without a crystal
ONE, ALL = "one_of_each", "ensemble"


@dataclass(frozen=True)
class Cascade:
    """Largest predicted distance to the hull with which a candidate passes each step, eV/atom; none: all pass."""

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
    energies = _mixed(batch, 1 if name == ONE else None) if name in (ONE, ALL) else _members(batch, name, 1)[0]
    return np.asarray(energies - batch.ground.hull.hull_energies(batch.fractions))


def _mixed(batch: Batch, members: int | None) -> np.ndarray:
    aggregation = batch.ground.ensemble.predictors["unrelaxed"].aggregation
    found = {view: _members(batch, view, members) for view in aggregation.views}
    if members == 1:  # which counts as two that agree: a spread, by which some ensembles mix, takes two
        found = {view: np.repeat(energies, 2, axis=0) for view, energies in found.items()}
    return np.asarray(aggregation.aggregate(found).mean)


def _members(batch: Batch, view: str, members: int | None) -> np.ndarray:
    return member_energies(batch.ground.ensemble.views[view], batch.dataset(view), batch.fractions, members)
