"""The learner of a policy: networks that start from those of its seed, and go their own way with what it reveals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.ensemble.predictor import Prediction
from lodestone.models.weights import SavedView
from lodestone.replay.networks import Outputs, Revealed, fine_tuned, outputs, pretrained
from lodestone.replay.policies import Policy
from lodestone.replay.prediction import predict
from lodestone.replay.preparation import Inputs, Prepared
from lodestone.runtime.seeds import child_seed


@dataclass(frozen=True)
class Beginning:
    """Networks before the first round, which all policies of a seed share.

    Attributes:
        prepared: What they have learned.
        pool: The whole pool as the networks see it.
        folder: Where networks are kept.
        seed: The seed.
    """

    prepared: Prepared
    pool: Inputs
    folder: Path
    seed: int

    @cached_property
    def networks(self) -> dict[str, SavedView]:
        """Of each view."""
        return {name: pretrained(view, self.seed, self.folder) for name, view in self.prepared.views.items()}

    @cached_property
    def outputs(self) -> dict[str, Outputs]:
        """What they say, by view."""
        return {name: outputs(saved, self.prepared, self.pool) for name, saved in self.networks.items()}


class PoolLearner:
    """Predicts the crystals of a thinned pool, and learns from those that are revealed.

    Args:
        policy: Which views it trains, and how it combines them.
        beginning: The networks before the first round.
        kept: Rows of the whole pool that the thinned one has.
    """

    def __init__(self, policy: Policy, beginning: Beginning, kept: np.ndarray) -> None:
        self.policy, self.beginning, self.kept = policy, beginning, kept
        self._networks: Mapping[str, SavedView] = beginning.networks
        self._outputs: Mapping[str, Outputs] = beginning.outputs
        self._revealed: Sequence[Crystal] = ()

    def predict(self, rows: np.ndarray) -> Prediction:
        """Predictions for some crystals of the thinned pool, by their rows."""
        whole = self.kept[rows]
        crystals = [self.beginning.pool.crystals[row] for row in whole]
        chosen = {view: self._outputs[view].of(whole) for view in self.policy.views}
        return predict(self.policy, chosen, self.beginning.prepared, crystals, self._revealed)

    def learn(self, revealed: Revealed, round_number: int) -> None:
        """Fine-tune the networks of the last round on all that was revealed so far."""
        if not len(revealed):
            return
        prepared, seed = self.beginning.prepared, self.beginning.seed
        self._networks = {
            view: fine_tuned(
                prepared.views[view], self._networks[view], revealed, child_seed(seed, "round", round_number, view)
            )
            for view in self.policy.views
        }
        self._outputs = {view: outputs(saved, prepared, self.beginning.pool) for view, saved in self._networks.items()}
        self._revealed = revealed.relaxed
