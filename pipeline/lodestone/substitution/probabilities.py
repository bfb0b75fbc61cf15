"""How likely one element replaces another: the data-mined model of Hautier et al., Inorg. Chem. 50, 656 (2011)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS


@lru_cache(maxsize=1)
def substitution_probabilities() -> np.ndarray:
    """Conditional probability that the first element can replace the second.

    Equation 5 of the paper over ion pairs, with the weights floored at 0 as in GNoME, so that pairs never seen
    stay possible; for two elements, the likeliest pair of their ions counts.

    Returns:
        Shape ``(N, N)``, indexed by atomic number; entry ``[new, old]``; 0 on the diagonal and for elements
        not in the table.
    """
    from pymatgen.analysis.structure_prediction.substitution_probability import SubstitutionProbability

    model = SubstitutionProbability()
    ions = sorted((ion for ion in model.species if ion.symbol in ATOMIC_NUMBERS), key=str)
    weights = np.array([[max(model.get_lambda(first, second), 0.0) for second in ions] for first in ions])
    joint = np.exp(weights)
    conditional = joint / joint.sum(axis=0)
    numbers = np.array([ATOMIC_NUMBERS[ion.symbol] for ion in ions])
    best = np.zeros((len(SYMBOLS), len(SYMBOLS)))
    np.maximum.at(best, (numbers[:, None], numbers[None, :]), conditional)
    np.fill_diagonal(best, 0.0)
    return best
