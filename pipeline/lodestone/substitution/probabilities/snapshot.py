"""Probabilities learned from what is known: which elements stand for each other, all else of a crystal being equal."""

from __future__ import annotations

import numpy as np
import polars as pl

from lodestone.config.registry import PROBABILITIES
from lodestone.crystals.elements import SYMBOLS
from lodestone.substitution.parents import families


@PROBABILITIES.register("snapshot")
def snapshot(known: pl.DataFrame) -> np.ndarray:
    """Conditional probability that the first element replaces the second, given that another one does.

    Two crystals of one prototype that differ in one element are one observation of their pair, as in the model of
    Hautier et al. (Inorg. Chem. 50, 656 (2011)). Weights are the logarithm of how often a pair was seen over how often
    it would be if elements met at random, floored at 0, so that pairs never seen stay possible.

    Args:
        known: Columns ``prototype`` and ``decorated_prototype``.

    Returns:
        Shape ``(N, N)``, indexed by atomic number; entry ``[new, old]``; 0 on the diagonal and for elements that no
        known crystal has. Columns add up to 1.
    """
    groups = families(known)
    counts, present = np.zeros((len(SYMBOLS), len(SYMBOLS))), np.zeros(len(SYMBOLS), dtype=bool)
    for family in groups.values():
        present[family.elements] = True
        rows = np.concatenate([family.elements[:, order] for order in family.orders])  # which equal orbit is arbitrary
        for place in range(len(family.orbits)):
            counts += _pairs_at(rows, place) / len(family.orders)
    np.fill_diagonal(counts, 0.0)
    return _conditional(counts, present)


def _pairs_at(elements: np.ndarray, place: int) -> np.ndarray:
    """How often elements stand for each other on one orbit, the others being the same."""
    from scipy.sparse import csr_array

    rest = np.delete(elements, place, axis=1).astype(np.int64)
    _, context = np.unique(rest @ len(SYMBOLS) ** np.arange(rest.shape[1]), return_inverse=True)
    cells = np.unique(context * len(SYMBOLS) + elements[:, place])
    seen = csr_array((np.ones(len(cells)), divmod(cells, len(SYMBOLS))), shape=(len(context), len(SYMBOLS)))
    return np.asarray((seen.T @ seen).toarray())


def _conditional(counts: np.ndarray, present: np.ndarray) -> np.ndarray:
    marginal = counts.sum(axis=0)
    expected = np.outer(marginal, marginal) / max(marginal.sum(), 1.0)
    joint = np.maximum(np.divide(counts, expected, out=np.ones_like(counts), where=expected > 0), 1.0)
    joint *= np.outer(present, present)
    np.fill_diagonal(joint, 0.0)
    total = joint.sum(axis=0)
    return np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)
