"""The same weights for every crystal, fitted on the validation crystals."""

from __future__ import annotations

import numpy as np

from lodestone.config.registry import AGGREGATIONS
from lodestone.ensemble.strategies import Aggregate, Members, Parameters, fixed

_STEPS = 100  # weights are hundredths


@AGGREGATIONS.register("constant")
class Constant:
    """The weights with the least MAE: for two views the best of a grid, for more the exact optimum."""

    def fit(self, members: Members, true: np.ndarray) -> Parameters:
        """One weight per view, in hundredths."""
        errors = np.stack([energies.mean(axis=0) - true for energies in members.values()])
        search = {1: _only, 2: _best_of_grid}.get(len(errors), _least_deviations)
        return {"weights": dict(zip(members, search(errors).tolist(), strict=True))}

    def aggregate(self, members: Members, parameters: Parameters) -> Aggregate:
        """The average by these weights."""
        return fixed(members, parameters["weights"])


def _only(errors: np.ndarray) -> np.ndarray:
    return np.ones(len(errors))


def _best_of_grid(errors: np.ndarray) -> np.ndarray:
    shares = np.linspace(0.0, 1.0, _STEPS + 1)
    share = shares[np.argmin([np.abs(w * errors[1] + (1 - w) * errors[0]).mean() for w in shares])]
    return np.array([1 - share, share])


def _least_deviations(errors: np.ndarray) -> np.ndarray:
    """Minimize the mean of ``|weights @ errors|`` on the simplex, a linear program, and round to hundredths.

    Args:
        errors: Of each view, shape ``(k, n)``, eV/atom.

    Returns:
        Shape ``(k,)``.
    """
    from scipy.optimize import linprog
    from scipy.sparse import bmat, csr_array, eye_array

    k, n = errors.shape
    signed, absolute = (
        csr_array(errors.T),
        eye_array(n),
    )  # besides the weights, one variable per crystal for its |error|
    above = bmat([[signed, -absolute], [-signed, -absolute]], format="csr")
    total = np.concatenate([np.ones(k), np.zeros(n)])[None]
    cost = np.concatenate([np.zeros(k), np.full(n, 1 / n)])
    weights = linprog(cost, A_ub=above, b_ub=np.zeros(2 * n), A_eq=total, b_eq=[1.0], method="highs").x[:k]
    return _in_hundredths(np.clip(weights, 0, 1))


def _in_hundredths(weights: np.ndarray) -> np.ndarray:
    """Rounded so that they still add up to 1: the largest remainders are rounded up."""
    whole = np.floor(weights * _STEPS + 1e-9)
    short = _STEPS - int(whole.sum())
    whole[np.argsort(whole - weights * _STEPS, kind="stable")[:short]] += 1
    return np.asarray(whole / _STEPS)
