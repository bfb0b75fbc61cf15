"""Cheap networks first: who is far from the hull by the first ones is not shown to the others.

The steps are one network of compositions, one of each view, and all networks; only who passes them is made a crystal
and judged with its error. The thresholds come from a sample that was judged so: each step lets pass all of its best
candidates. How many are lost is measured by thresholds from either half of the sample on the other half, which are
tighter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lodestone.crystals.soundness import why_unsound
from lodestone.ensemble.ensemble import Ensemble
from lodestone.ensemble.metrics import wilson_proportion
from lodestone.models.inference import member_energies
from lodestone.screening.batch import Batch

VIEWS = ("composition", "structure")  # those whose input is known without a crystal
ONE, ALL = "one_of_each", "ensemble"
MARGIN = 0.01  # eV/atom, added to the largest distance of the best of a sample
FEWEST = 40  # candidates of a sample that count as best, whatever their probability
HOPELESS = 0.1  # P(stable) below which a candidate is not among the best, however many are kept


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


@dataclass(frozen=True)
class Sample:
    """What the steps and the whole ensemble say of some candidates.

    Attributes:
        steps: Predicted distance to the hull by each step, shapes ``(n,)``, eV/atom.
        probability: P(stable) by the whole ensemble, shape ``(n,)``.
    """

    steps: Mapping[str, np.ndarray]
    probability: np.ndarray

    @classmethod
    def of(cls, batch: Batch) -> Sample:
        """Ask all networks about some candidates."""
        return cls({name: step(batch, name) for name in steps_of(batch.ground.ensemble)}, _probabilities(batch))

    @classmethod
    def joined(cls, parts: Sequence[Sample]) -> Sample:
        """Several samples, one after the other."""
        steps = {view: np.concatenate([part.steps[view] for part in parts]) for view in parts[0].steps}
        return cls(steps, np.concatenate([part.probability for part in parts]))

    def thresholds(self, wanted: np.ndarray, margin: float) -> dict[str, float]:
        """Those with which all wanted candidates, by a mask of shape ``(n,)``, pass."""
        return {name: float(distance[wanted].max(initial=-np.inf)) + margin for name, distance in self.steps.items()}

    def passing(self, thresholds: Mapping[str, float]) -> np.ndarray:
        """Who passes all steps, shape ``(n,)``."""
        passing = np.ones(len(self.probability), dtype=bool)
        for name, threshold in thresholds.items():
            passing &= self.steps[name] <= threshold
        return passing


def fitted(sample: Sample, best: float, margin: float = MARGIN) -> tuple[Cascade, dict[str, Any]]:
    """Thresholds from a sample, and the recall that it measures.

    Args:
        sample: Candidates.
        best: Share of them that must not be lost.
        margin: Added to each threshold, eV/atom.

    Returns:
        The cascade, and ``recall`` (with interval and ``n``), ``passing`` (the share of all that passes) and
        ``n_sample``.
    """
    least = max(float(np.quantile(sample.probability, 1 - best)), HOPELESS)
    least = min(least, float(np.sort(sample.probability)[-min(FEWEST, len(sample.probability))]))
    wanted, first = sample.probability >= least, np.arange(len(sample.probability)) % 2 == 0
    halves = [(wanted & half, wanted & ~half) for half in (first, ~first)]
    kept = sum(int((sample.passing(sample.thresholds(fit, margin)) & other).sum()) for fit, other in halves)
    thresholds = sample.thresholds(wanted, margin)
    return Cascade(thresholds), {
        "recall": wilson_proportion(kept, int(wanted.sum())),
        "passing": float(sample.passing(thresholds).mean()),
        "n_sample": len(first),
    }


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


def _probabilities(batch: Batch) -> np.ndarray:
    """P(stable) by the whole ensemble, shape ``(n,)``; 0 of crystals that it refuses."""
    crystals = [batch.crystal(row) for row in range(len(batch))]
    sound, found = np.array([why_unsound(crystal) is None for crystal in crystals]), np.zeros(len(batch))
    if sound.any():
        chosen = [crystal for crystal, good in zip(crystals, sound, strict=True) if good]
        floor = batch.ground.hull.hull_energies(batch.fractions[sound])
        found[sound] = batch.ground.ensemble.predict(chosen, "unrelaxed").probability_below(floor)
    return found
