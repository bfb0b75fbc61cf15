"""Equal weights for all views."""

from __future__ import annotations

import numpy as np

from lodestone.config.registry import AGGREGATIONS
from lodestone.ensemble.strategies import Aggregate, Members, Parameters, fixed


@AGGREGATIONS.register("mean")
class Mean:
    """The plain mean of the views."""

    def fit(self, _members: Members, _true: np.ndarray) -> Parameters:
        """Nothing."""
        return {}

    def aggregate(self, members: Members, _parameters: Parameters) -> Aggregate:
        """The average with equal weights."""
        return fixed(members, dict.fromkeys(members, 1 / len(members)))
