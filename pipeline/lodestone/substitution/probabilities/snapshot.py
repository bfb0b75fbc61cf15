"""Probabilities learned from what is known: which elements stand for each other, all else of a crystal being equal."""

from __future__ import annotations

import numpy as np
import polars as pl

from lodestone.config.registry import PROBABILITIES
from lodestone.crystals.elements import SYMBOLS
from lodestone.substitution.parents import Family, families


@PROBABILITIES.register("snapshot")
def snapshot(known: pl.DataFrame) -> np.ndarray:
    """Conditional probability that the first element replaces the second, given that another one does.

    Two crystals of one prototype that differ in one element are one observation of their pair, as in the model of
    Hautier et al. (Inorg. Chem. 50, 656 (2011)). Weights are the logarithm of how often a pair was seen over how often
    it would be if elements met at random, floored at 0, so that pairs never seen stay possible.

    Args:
        known: Columns ``prototype``, ``decorated_prototype`` and ``energy_above_hull``; energies are not read.

    Returns:
        Shape ``(N, N)``, indexed by atomic number; entry ``[new, old]``; 0 on the diagonal and for elements that no
        known crystal has. Columns add up to 1.
    """
    groups = families(known.with_columns(energy_above_hull=pl.lit(0.0)))
    counts, present = np.zeros((len(SYMBOLS), len(SYMBOLS))), np.zeros(len(SYMBOLS), dtype=bool)
    for family in groups.values():
        present[family.elements] = True
        for place in range(len(family.orbits)):
            counts += _pairs_at(family, place)
    np.fill_diagonal(counts, 0.0)
    return _conditional(counts, present)


def _pairs_at(family: Family, place: int) -> np.ndarray:
    """How often elements stand for each other on one orbit, the others being the same."""
    rest = np.delete(family.elements, place, axis=1)
    _, context = np.unique(rest, axis=0, return_inverse=True)
    seen = np.zeros((context.max() + 1, len(SYMBOLS)))
    seen[context.ravel(), family.elements[:, place]] = 1.0
    return seen.T @ seen


def _conditional(counts: np.ndarray, present: np.ndarray) -> np.ndarray:
    marginal = counts.sum(axis=0)
    expected = np.outer(marginal, marginal) / max(marginal.sum(), 1.0)
    joint = np.maximum(np.divide(counts, expected, out=np.ones_like(counts), where=expected > 0), 1.0)
    joint *= np.outer(present, present)
    np.fill_diagonal(joint, 0.0)
    total = joint.sum(axis=0)
    return np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)
