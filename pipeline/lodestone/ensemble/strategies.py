"""Named ways to make one prediction of the members of both views; pure functions, one per strategy.

All but the median are weighted averages of the two views, and their spread is that of the mixture of all members: it
grows where the members of a view disagree, and where the views disagree with each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

_WEIGHTS = np.linspace(0.0, 1.0, 101)
_LOG_ERRORS = np.log(np.geomspace(0.003, 1.0, 11))  # eV/atom: what the members of a view may get wrong together
_NORMAL_IQR = 1.349  # interquartile range of a normal distribution over its standard deviation

Parameters = dict[str, float]


@dataclass(frozen=True)
class Aggregate:
    """One prediction per crystal, arrays of shape ``(n,)``.

    Attributes:
        mean: Formation energies, eV/atom.
        spread: Standard deviation of the members about it, eV/atom; not calibrated.
        weight_structure: Share of the structure view, 0 to 1.
    """

    mean: np.ndarray
    spread: np.ndarray
    weight_structure: np.ndarray


@dataclass(frozen=True)
class Strategy:
    """One way to combine.

    Attributes:
        fit: Members of both views, shapes ``(m, n)``, and labels, shape ``(n,)``, to parameters.
        combine: Members of both views and the parameters to an average.
    """

    fit: Callable[[np.ndarray, np.ndarray, np.ndarray], Parameters]
    aggregate: Callable[..., Aggregate]


def constant(composition: np.ndarray, structure: np.ndarray, *, weight_structure: float) -> Aggregate:
    """The same weight for every crystal."""
    return _mixture(composition, structure, np.full(structure.shape[1], weight_structure))


def inverse_variance(
    composition: np.ndarray, structure: np.ndarray, *, composition_error: float, structure_error: float
) -> Aggregate:
    """Weights by inverse variance: that of the members, and of what all members of a view get wrong together.

    Args:
        composition: Predictions of the members, shape ``(m, n)``.
        structure: Likewise.
        composition_error: Error that the spread of the members does not show, eV/atom.
        structure_error: Likewise.
    """
    variance_composition = composition_error**2 + composition.var(axis=0, ddof=1)
    variance_structure = structure_error**2 + structure.var(axis=0, ddof=1)
    return _mixture(composition, structure, variance_composition / (variance_composition + variance_structure))


def median(composition: np.ndarray, structure: np.ndarray) -> Aggregate:
    """Median of all members of both views, and their interquartile range (GNoME's choice for one view)."""
    low, middle, high = np.percentile(np.concatenate([composition, structure]), [25, 50, 75], axis=0)
    share = len(structure) / (len(composition) + len(structure))
    return Aggregate(middle, (high - low) / _NORMAL_IQR, np.full(structure.shape[1], share))


def fit_constant(composition: np.ndarray, structure: np.ndarray, true: np.ndarray) -> Parameters:
    """The weight with the least MAE."""
    by_structure, by_composition = structure.mean(axis=0) - true, composition.mean(axis=0) - true
    maes = [np.abs(weight * by_structure + (1 - weight) * by_composition).mean() for weight in _WEIGHTS]
    return {"weight_structure": float(_WEIGHTS[np.argmin(maes)])}


def fit_inverse_variance(composition: np.ndarray, structure: np.ndarray, true: np.ndarray) -> Parameters:
    """The errors of the views, hidden from their spreads, for which the MAE is least: a grid, then a simplex."""
    from scipy.optimize import minimize

    def mae(logs: np.ndarray) -> float:
        errors = np.exp(np.clip(logs, -10, 3))
        average = inverse_variance(composition, structure, composition_error=errors[0], structure_error=errors[1])
        return float(np.abs(average.mean - true).mean())

    grid = [np.array([first, second]) for first in _LOG_ERRORS for second in _LOG_ERRORS]
    best = minimize(mae, min(grid, key=mae), method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-7}).x
    found = np.exp(np.clip(best, -10, 3))
    return {"composition_error": float(found[0]), "structure_error": float(found[1])}


def _nothing(_composition: np.ndarray, _structure: np.ndarray, _true: np.ndarray) -> Parameters:
    return {}


STRATEGIES: dict[str, Strategy] = {
    "constant": Strategy(fit_constant, constant),
    "inverse_variance": Strategy(fit_inverse_variance, inverse_variance),
    "mean": Strategy(_nothing, partial(constant, weight_structure=0.5)),
    "median": Strategy(_nothing, median),
    "composition": Strategy(_nothing, partial(constant, weight_structure=0.0)),
    "structure": Strategy(_nothing, partial(constant, weight_structure=1.0)),
}


def _mixture(composition: np.ndarray, structure: np.ndarray, w: np.ndarray) -> Aggregate:
    """Mean and standard deviation of a mixture of both views with weights ``w``, shape ``(n,)``."""
    of_composition, of_structure = composition.mean(axis=0), structure.mean(axis=0)
    within = w * structure.var(axis=0, ddof=1) + (1 - w) * composition.var(axis=0, ddof=1)
    between = w * (1 - w) * (of_structure - of_composition) ** 2
    return Aggregate(w * of_structure + (1 - w) * of_composition, np.sqrt(within + between), w)
