"""Weights by inverse variance, crystal by crystal."""

from __future__ import annotations

from itertools import product

import numpy as np

from lodestone.config.registry import AGGREGATIONS
from lodestone.ensemble.strategies import Aggregate, Members, Parameters, mixture

_LOG_ERRORS = np.log(np.geomspace(0.003, 1.0, 11))  # eV/atom: errors that the members of a view share
_MOST = 2000  # points of the grid at which the search begins


@AGGREGATIONS.register("inverse_variance")
class InverseVariance:
    """The variance of a view is that of its members plus that of the error they share, which is fitted."""

    def fit(self, members: Members, true: np.ndarray) -> Parameters:
        """The shared errors of the views, hidden from their spreads, with the least MAE: a grid, then a simplex."""
        from scipy.optimize import minimize

        def hidden(logs: np.ndarray) -> dict[str, float]:
            return dict(zip(members, np.exp(np.clip(logs, -10, 3)).tolist(), strict=True))

        def mae(logs: np.ndarray) -> float:
            return float(np.abs(self.aggregate(members, {"errors": hidden(logs)}).mean - true).mean())

        start = min((np.array(point) for point in product(_grid(len(members)), repeat=len(members))), key=mae)
        best = minimize(mae, start, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-7}).x
        return {"errors": hidden(best)}

    def aggregate(self, members: Members, parameters: Parameters) -> Aggregate:
        """The average by these weights."""
        precision = {
            view: 1 / (parameters["errors"][view] ** 2 + energies.var(axis=0, ddof=1))
            for view, energies in members.items()
        }
        total = np.sum(list(precision.values()), axis=0)
        return mixture(members, {view: value / total for view, value in precision.items()})


def _grid(n_views: int) -> np.ndarray:
    """Logarithms of errors for each view: the more views, the fewer."""
    strides = (stride for stride in (1, 2, 5) if len(_LOG_ERRORS[::stride]) ** n_views <= _MOST)
    return _LOG_ERRORS[:: next(strides, 10)]
