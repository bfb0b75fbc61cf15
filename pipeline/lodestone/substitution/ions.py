"""From weights of pairs of ions to probabilities of pairs of elements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS


def likeliest_by_element(symbols: Sequence[str], weights: np.ndarray) -> np.ndarray:
    """Conditional probability that one element can replace another: that of the likeliest pair of their ions.

    Args:
        symbols: Elements of ``n`` ions.
        weights: Of the pairs of ions, symmetric, shape ``(n, n)``: logarithms of joint probabilities, up to a constant.

    Returns:
        Shape ``(N, N)``, indexed by atomic number; entry ``[new, old]``; 0 on the diagonal and for elements
        without an ion.
    """
    joint = np.exp(weights)
    conditional = joint / joint.sum(axis=0)
    numbers = np.array([ATOMIC_NUMBERS[symbol] for symbol in symbols])
    best = np.zeros((len(SYMBOLS), len(SYMBOLS)))
    np.maximum.at(best, (numbers[:, None], numbers[None, :]), conditional)
    np.fill_diagonal(best, 0.0)
    return best
