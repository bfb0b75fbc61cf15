"""The learner of a policy: networks that start from those of its seed, and go their own way with what it reveals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from lodestone.ensemble.out_of_distribution import familiar_within
from lodestone.ensemble.predictor import Prediction
from lodestone.models.registry import required_latent_view
from lodestone.models.weights import SavedView
from lodestone.replay.networks import Outputs, Revealed, fine_tuned, outputs, pretrained
from lodestone.replay.policies import Policy
from lodestone.replay.prediction import predict
from lodestone.replay.preparation import Inputs, Prepared
from lodestone.replay.tables import ENERGY
from lodestone.runtime.seeds import child_seed

LEARNABLE = 0.01  # of what networks have learned: fewer new labels cost more by forgetting than they teach


@dataclass(frozen=True)
class Beginning:
    """Networks before the first round, which all policies share, and several seeds may.

    Attributes:
        prepared: What they have learned.
        pool: The whole pool as the networks see it.
        table: Its rows, with what is described of each crystal.
        folder: Where networks are kept.
        number: Of these networks, from which their seed derives.
    """

    prepared: Prepared
    pool: Inputs
    table: pl.DataFrame
    folder: Path
    number: int

    @cached_property
    def networks(self) -> dict[str, SavedView]:
        """Of each view."""
        return {name: pretrained(view, self.number, self.folder) for name, view in self.prepared.views.items()}

    @cached_property
    def outputs(self) -> dict[str, Outputs]:
        """What they say, by view."""
        return {name: outputs(saved, self.prepared, self.pool) for name, saved in self.networks.items()}

    @cached_property
    def relatives(self) -> np.ndarray:
        """Energies of the pool by known relatives, shape ``(n,)``, eV/atom."""
        return self.prepared.relatives.energies(self.table)


class PoolLearner:
    """Predicts the crystals of a thinned pool, and learns from those that are revealed.

    Args:
        policy: Which views it trains, and how it combines them.
        beginning: The networks before the first round.
        kept: Rows of the whole pool that the thinned one has.
        seed: Of what is learned between the rounds.
    """

    def __init__(self, policy: Policy, beginning: Beginning, kept: np.ndarray, seed: int) -> None:
        self.policy, self.prepared, self.seed = policy, beginning.prepared, seed
        self._pool, self._table = beginning.pool.subset(kept), beginning.table[kept.tolist()]
        self._networks: Mapping[str, SavedView] = beginning.networks
        self._outputs = {view: found.of(kept) for view, found in beginning.outputs.items()}
        self._revealed = Revealed()
        self._relatives = beginning.relatives[kept] if policy.relatives else None

    def predict(self, rows: np.ndarray) -> Prediction:
        """Predictions for some crystals of the thinned pool, by their rows."""
        crystals = [self._pool.crystals[row] for row in rows]
        chosen = {view: self._outputs[view].of(rows) for view in self.policy.views}
        told = None if self._relatives is None else self._relatives[rows]
        return predict(self.policy, chosen, self.prepared, crystals, self._revealed.relaxed, relatives=told)

    def latents(self, rows: np.ndarray) -> np.ndarray:
        """Latent vectors of some crystals of the thinned pool, in the units of :meth:`Ensemble.latents`.

        Args:
            rows: Which ones.

        Raises:
            LodestoneError: If no view of the policy has latent vectors.
        """
        vectors = self._outputs[required_latent_view(self.policy.views)].latents
        return vectors["pool"][rows] / np.float32(familiar_within(vectors["validation"], vectors["sample"]))

    def learn(self, revealed: Revealed, round_number: int) -> None:
        """Learn all that was revealed so far: it joins the relatives, and if it is enough, networks are fine-tuned."""
        if not len(revealed):
            return
        if len(revealed) >= LEARNABLE * max(len(view.data.train) for view in self.prepared.views.values()):
            self._fine_tune(revealed, round_number)
        if self.policy.relatives:
            self._relatives = self.prepared.relatives.including(self._rows(revealed)).energies(self._table)

    def _fine_tune(self, revealed: Revealed, round_number: int) -> None:
        self._revealed = revealed
        own = {view: child_seed(self.seed, "round", round_number, view) for view in self.policy.views}
        self._networks = {
            view: fine_tuned(self.prepared.views[view], self._networks[view], revealed, seed)
            for view, seed in own.items()
        }
        self._outputs = {view: outputs(saved, self.prepared, self._pool) for view, saved in self._networks.items()}

    def _rows(self, revealed: Revealed) -> pl.DataFrame:
        """Rows of revealed crystals with their energies; they keep the prototype that they started from."""
        labels = pl.DataFrame({"material_id": revealed.names, ENERGY: revealed.energies})
        return labels.join(self._table, on="material_id", maintain_order="left")
