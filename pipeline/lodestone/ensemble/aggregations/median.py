"""Median of all members of all views, and their interquartile range (GNoME's choice for one view)."""

from __future__ import annotations

import numpy as np

from lodestone.config.registry import AGGREGATIONS
from lodestone.ensemble.strategies import Aggregate, Members, Parameters

_NORMAL_IQR = 1.349  # interquartile range of a normal distribution over its standard deviation


@AGGREGATIONS.register("median")
class Median:
    """All members count the same, whatever their view."""

    def fit(self, _members: Members, _true: np.ndarray) -> Parameters:
        """Nothing."""
        return {}

    def aggregate(self, members: Members, _parameters: Parameters) -> Aggregate:
        """The median; the weights are the shares of the members."""
        every = np.concatenate(list(members.values()))
        low, middle, high = np.percentile(every, [25, 50, 75], axis=0)
        weights = {view: np.full(every.shape[1], len(energies) / len(every)) for view, energies in members.items()}
        return Aggregate(middle, (high - low) / _NORMAL_IQR, weights)
