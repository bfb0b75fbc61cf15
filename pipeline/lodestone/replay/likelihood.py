"""How likely a generator of substitutions holds each crystal of a pool."""

from __future__ import annotations

import numpy as np
import polars as pl

from lodestone.substitution.parents import families, near_hull, sorted_elements
from lodestone.substitution.probabilities.hautier import hautier_probabilities

_ANY_NUMBER = 100  # of elements may be replaced, so that as many candidates as possible can be ranked


def likeliest_substitutions(pool: pl.DataFrame, known: pl.DataFrame) -> np.ndarray:
    """Probability of the likeliest substitution that leads from a known crystal near the hull to each of the pool.

    Args:
        pool: Columns ``prototype`` and ``decorated_prototype``.
        known: Likewise, with ``energy_above_hull``.

    Returns:
        Shape ``(n,)``; 0 where no known crystal has the prototype.
    """
    relatives, table, found = families(near_hull(known)), hautier_probabilities(), np.zeros(len(pool))
    for row, (prototype, label) in enumerate(pool.select("prototype", "decorated_prototype").iter_rows()):
        if prototype in relatives:
            wanted = np.array(sorted_elements(label)[1])
            found[row] = relatives[prototype].probabilities(wanted, table, _ANY_NUMBER).max()
    return found
