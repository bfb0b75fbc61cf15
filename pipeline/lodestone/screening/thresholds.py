"""Thresholds of a cascade, from a sample that was judged in full.

Each step lets pass what the best candidates of the sample need, but for a few that would let too many others pass. How
many of the best are lost is measured by thresholds from either half of the sample on the other half, which are tighter;
a margin is added that keeps the loss within 1 % there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lodestone.crystals.soundness import why_unsound
from lodestone.ensemble.metrics import wilson_proportion
from lodestone.screening.batch import Batch
from lodestone.screening.cascade import Cascade, step, steps_of

LEAST_RECALL = 0.99  # of the best candidates of either half of a sample, by thresholds from the other half
MARGINS = (0.01, 0.02, 0.03, 0.05, 0.1)  # eV/atom, added to each threshold; the first with that recall, or the last
GIVEN_UP = 0.005  # share of the best whose distances the thresholds do not heed, so that none of them sets one alone
FEWEST = 40  # candidates of a sample that count as best, whatever their probability
HOPELESS = 0.1  # P(stable) below which a candidate is not among the best, however many are kept


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

    def thresholds(self, wanted: np.ndarray, given_up: int = 0) -> dict[str, float]:
        """The largest distances of wanted candidates, by a mask of shape ``(n,)``, eV/atom.

        Args:
            wanted: Who must pass.
            given_up: So many of them need not, in turn the one without which the fewest pass.
        """
        found = {name: float(distance[wanted].max(initial=-np.inf)) for name, distance in self.steps.items()}
        if not given_up or not found:
            return found
        rows = np.flatnonzero(wanted)
        extreme = {int(rows[np.argmax(distance[rows])]) for distance in self.steps.values()}
        fewer = [wanted & (np.arange(len(wanted)) != row) for row in sorted(extreme)]
        least = min(fewer, key=lambda mask: self._work(self.thresholds(mask)))
        return self.thresholds(least, given_up - 1)

    def passing(self, thresholds: Mapping[str, float], margin: float = 0.0) -> np.ndarray:
        """Who passes all steps, shape ``(n,)``."""
        passing = np.ones(len(self.probability), dtype=bool)
        for name, threshold in thresholds.items():
            passing &= self.steps[name] <= threshold + margin
        return passing

    def _work(self, thresholds: Mapping[str, float]) -> float:
        """Sum of the shares of candidates that each step lets pass to the next."""
        near = [distance <= thresholds[name] for name, distance in self.steps.items()]
        return float(np.logical_and.accumulate(near).mean(axis=1).sum())


def fitted(sample: Sample, best: float) -> tuple[Cascade, dict[str, Any]]:
    """Thresholds from a sample, and the recall that it measures.

    Args:
        sample: Candidates.
        best: Share of them that must not be lost.

    Returns:
        The cascade, and ``recall`` (with interval and ``n``), ``margin`` (eV/atom), ``passing`` (the share of all that
        passes) and ``n_sample``.
    """
    least = max(float(np.quantile(sample.probability, 1 - best)), HOPELESS)
    least = min(least, float(np.sort(sample.probability)[-min(FEWEST, len(sample.probability))]))
    wanted, first = sample.probability >= least, np.arange(len(sample.probability)) % 2 == 0
    halves = [wanted & half for half in (first, ~first)]
    given_up = [int(GIVEN_UP * half.sum()) for half in halves]
    by_half = [sample.thresholds(half, few) for half, few in zip(halves, given_up, strict=True)]

    def _kept(margin: float) -> int:
        pairs = zip(by_half, reversed(halves), strict=True)
        return sum(int((sample.passing(thresholds, margin) & other).sum()) for thresholds, other in pairs)

    enough = LEAST_RECALL * wanted.sum()
    margin = next((one for one in MARGINS if _kept(one) >= enough), MARGINS[-1])
    widest = sample.thresholds(wanted, sum(given_up))
    thresholds = {name: distance + margin for name, distance in widest.items()}
    return Cascade(thresholds), {
        "recall": wilson_proportion(_kept(margin), int(wanted.sum())),
        "margin": margin,
        "passing": float(sample.passing(thresholds).mean()),
        "n_sample": len(first),
    }


def _probabilities(batch: Batch) -> np.ndarray:
    """P(stable) by the whole ensemble, shape ``(n,)``; 0 of crystals that it refuses."""
    crystals = [batch.crystal(row) for row in range(len(batch))]
    sound, found = np.array([why_unsound(crystal) is None for crystal in crystals]), np.zeros(len(batch))
    if sound.any():
        chosen = [crystal for crystal, good in zip(crystals, sound, strict=True) if good]
        floor = batch.ground.hull.hull_energies(batch.fractions[sound])
        found[sound] = batch.ground.ensemble.predict(chosen, "unrelaxed").probability_below(floor)
    return found
