"""The protocol of strategies that combine the views, and their building blocks; each has a file in `aggregations/`.

All but the median are weighted averages of the views, and their spread is that of the mixture of all members: it grows
where the members of a view disagree, and where the views disagree with each other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Protocol

import numpy as np

from lodestone.config.registry import AGGREGATIONS

Members = Mapping[str, np.ndarray]
Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Aggregate:
    """One prediction per crystal, arrays of shape ``(n,)``.

    Attributes:
        mean: Formation energies, eV/atom.
        spread: Standard deviation of the members about it, eV/atom; not calibrated.
        weights: Share of each view, 0 to 1; they add up to 1.
    """

    mean: np.ndarray
    spread: np.ndarray
    weights: Mapping[str, np.ndarray]


class Strategy(Protocol):
    """One way to combine, registered by name; has no state.

    Examples:
        A file ``aggregations/first.py`` that trusts the view that is listed first::

            @AGGREGATIONS.register("first")
            class First:
                def fit(self, members, true):
                    return {}

                def aggregate(self, members, parameters):
                    first = next(iter(members))
                    return fixed(members, {view: float(view == first) for view in members})
    """

    def fit(self, members: Members, true: np.ndarray) -> Parameters:
        """The fitted parameters, ready for JSON.

        Args:
            members: Predictions of the members of each view, shapes ``(m, n)``, eV/atom.
            true: Labels, shape ``(n,)``, eV/atom.
        """

    def aggregate(self, members: Members, parameters: Parameters) -> Aggregate:
        """Combine the members of each view, shapes ``(m, n)``."""


@dataclass(frozen=True)
class OneView:
    """One view alone, named after the view."""

    view: str

    def fit(self, _members: Members, _true: np.ndarray) -> Parameters:
        """Nothing."""
        return {}

    def aggregate(self, members: Members, _parameters: Parameters) -> Aggregate:
        """The prediction of this view."""
        return fixed(members, {view: float(view == self.view) for view in members})


def strategy(name: str, views: Collection[str]) -> Strategy:
    """A strategy by its name, which may be that of a view.

    Raises:
        ValueError: If there is none of this name; lists the names.
    """
    chosen: Strategy = OneView(name) if name in views else AGGREGATIONS.make(name)
    return chosen


def fixed(members: Members, weights: Mapping[str, float]) -> Aggregate:
    """The same weights for every crystal."""
    n = next(iter(members.values())).shape[1]
    return mixture(members, {view: np.full(n, weights[view]) for view in members})


def mixture(members: Members, weights: Mapping[str, np.ndarray]) -> Aggregate:
    """Mean and standard deviation of a mixture of views with some weights, shapes ``(n,)``, that add up to 1."""
    means = {view: energies.mean(axis=0) for view, energies in members.items()}
    mean = sum(weights[view] * means[view] for view in members)
    within = sum(weights[view] * energies.var(axis=0, ddof=1) for view, energies in members.items())
    between = sum(
        (weights[a] * weights[b] * (means[a] - means[b]) ** 2 for a, b in combinations(members, 2)), np.zeros(1)
    )
    return Aggregate(np.asarray(mean), np.sqrt(within + between), weights)
