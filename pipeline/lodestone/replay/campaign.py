"""One replayed campaign: one policy, one seed, a few rounds of choose, reveal and learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl

from lodestone.config.registry import ACQUISITIONS
from lodestone.discovery.batches import batch
from lodestone.ensemble.predictor import Prediction
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Oracle
from lodestone.replay.networks import Revealed
from lodestone.replay.policies import Policy
from lodestone.replay.tables import Pool
from lodestone.runtime.seeds import child_generator

_NO_THRESHOLD = float("inf")  # a budget is spent whatever is predicted


@dataclass(frozen=True)
class Limits:
    """What a campaign may spend.

    Attributes:
        budget: Verifications in all; no more than the pool has.
        rounds: Rounds, which share the budget evenly.
    """

    budget: int
    rounds: int

    def of_rounds(self) -> list[int]:
        """Budget of each round; the first ones get what cannot be shared evenly."""
        each, rest = divmod(self.budget, self.rounds)
        return [each + (number < rest) for number in range(self.rounds)]


class Learner(Protocol):
    """What predicts the pool, and learns."""

    def predict(self, rows: np.ndarray) -> Prediction:
        """Predictions for some crystals of the pool, by their rows."""
        ...

    def latents(self, rows: np.ndarray) -> np.ndarray:
        """Latent vectors of some crystals of the pool, as :meth:`lodestone.ensemble.ensemble.Ensemble.latents`."""
        ...

    def learn(self, revealed: Revealed, round_number: int) -> None:
        """Learn all that was revealed so far."""
        ...


@dataclass(frozen=True)
class Run:
    """What one policy has found with one seed.

    Attributes:
        policy: Its name.
        seed: The seed.
        n_pool: Crystals in the pool.
        n_stable: Stable ones among them.
        finds: Of each round, whether each verified crystal is stable, in their order.
        rest: Likewise for those that were not verified, in the order of the last ranking.
    """

    policy: str
    seed: int
    n_pool: int
    n_stable: int
    finds: Sequence[Sequence[bool]]
    rest: Sequence[bool]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Run:
        """The inverse of :meth:`as_dict`."""
        return cls(**content)

    @property
    def verified(self) -> np.ndarray:
        """Whether each verified crystal is stable, in their order, shape ``(budget,)``."""
        return np.concatenate([np.asarray(found, dtype=bool) for found in self.finds])


def run_campaign(
    name: str,
    policy: Policy,
    pool: Pool,
    oracle: Oracle,
    learner: Learner | None,
    *,
    limits: Limits,
    seed: int,
) -> Run:
    """Spend the budget.

    A find is a crystal on or below the hull of the known table. That hull stays as it is, so that it does not depend on
    what was found before what else counts as a find.

    Args:
        name: Name of the policy.
        policy: How candidates are ranked.
        pool: The candidates, and, for counting only, which are stable.
        oracle: Reveals their labels.
        learner: Predicts, and learns from what is revealed; ``None`` for a policy without networks.
        limits: The budget.
        seed: Of the random choices.

    Raises:
        LodestoneError: If there are more rounds than verifications, or more of these than candidates.
    """
    refuse_limits(limits, len(pool))
    left, finds, revealed = np.arange(len(pool)), list[list[bool]](), Revealed()
    order = left
    for number, budget in enumerate(limits.of_rounds()):
        if number and learner is not None and policy.learns:
            learner.learn(revealed, number)
        order = _ranked(policy, pool, left, learner, child_generator(seed, "replay", name, number))
        order = _diverse(policy, pool, order, learner, budget)
        chosen, order = order[:budget], order[budget:]
        revealed = revealed.joined(reveal(oracle, pool, chosen))
        finds.append(pool.stable[chosen].tolist())
        left = np.sort(order)
    return Run(name, seed, len(pool), pool.n_stable, finds, pool.stable[order].tolist())


def refuse_limits(limits: Limits, n_pool: int) -> None:
    """Stop where a budget cannot be spent; see :func:`run_campaign`."""
    if limits.budget > n_pool:
        raise LodestoneError(
            f"a budget of {limits.budget} is more than the {n_pool} crystals of the pool",
            "lower --budget, take a larger pool, or raise --prevalence, which drops stable crystals from it",
        )
    if limits.rounds > limits.budget:
        raise LodestoneError(
            f"a budget of {limits.budget} leaves nothing to verify in some of {limits.rounds} rounds",
            "raise --budget or lower --rounds",
        )


def reveal(oracle: Oracle, pool: Pool, rows: np.ndarray) -> Revealed:
    """Labels of some crystals, given by their rows; those that the oracle refuses are left out."""
    initial = [pool.initial[row] for row in rows]
    names = pool.table["material_id"][rows.tolist()].to_list()
    found = [
        (names[index], initial[index], label.crystal, label.energy_per_atom)
        for index, label in sorted(oracle.label(initial), key=lambda item: item[0])
        if label.crystal is not None and label.energy_per_atom is not None
    ]
    if not found:
        return Revealed()
    chosen, structures, relaxed, energies = zip(*found, strict=True)
    return Revealed(chosen, structures, relaxed, np.array(energies))


def _ranked(
    policy: Policy, pool: Pool, rows: np.ndarray, learner: Learner | None, generator: np.random.Generator
) -> np.ndarray:
    """Rows of the pool, the best first; equals in random order."""
    shuffled = generator.permutation(rows)
    table = pool.table[shuffled.tolist()].with_columns(pl.Series("row", shuffled))
    if learner is not None:
        prediction = learner.predict(shuffled)
        hull = table["hull"].to_numpy()
        table = table.with_columns(
            energy_above_hull_pred=pl.Series(prediction.mean - hull),
            formation_energy_per_atom_std=pl.Series(prediction.std),
            stability_probability=pl.Series(prediction.probability_below(hull)),
            incomplete_probability=pl.lit(0.0),  # of what is known to be real, no depth is too deep
        )
    ranked = ACQUISITIONS.make(policy.acquisition, table, _NO_THRESHOLD)["row"].to_numpy()
    return np.concatenate([ranked, shuffled[~np.isin(shuffled, ranked)]])


def _diverse(policy: Policy, pool: Pool, order: np.ndarray, learner: Learner | None, budget: int) -> np.ndarray:
    """A ranking that begins with a batch within the limits of a policy."""
    latents = learner.latents(order) if learner is not None and policy.limits.latent_distance else None
    first = batch(pool.table[order.tolist()], budget, policy.limits, latents)
    return np.concatenate([order[first], np.delete(order, first)])
