"""What known crystals of the same prototype with like elements tell of a candidate: how far it lies from the hull.

Distances to the hull carry over from one compound to its relatives, where energies do not: bonds are stronger in one
than in the other, but so are those of the phases with which they compete. The hull is taken without phases of the
composition itself, for known crystals and candidates alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
import polars as pl

from lodestone.crystals.compositions import atomic_fractions
from lodestone.ensemble.calibration import Calibration
from lodestone.ensemble.predictor import Prediction
from lodestone.stability.hull import ConvexHull
from lodestone.substitution.parents import Family, families, sorted_elements

# Of the properties in `models.element_features`, in their order, by how much they make elements unlike; chosen by hand.
_IMPORTANCE = (2.0, 1.5, 0.7, 1.5, 1.2, 0.3, 0.6, 0.4, 0.6, 1.0, 1.0, 1.0, 1.0, 1.0)
_WIDTH = 0.5  # of the kernel, beyond the nearest relative
_SHARES = np.linspace(0, 1, 21)
_NAMES = ("prototype", "decorated_prototype", "formula_pretty")
_ENERGY = "formation_energy_per_atom"


@dataclass(frozen=True)
class Relatives:
    """Known crystals by prototype.

    Attributes:
        names: Columns ``prototype``, ``decorated_prototype`` and ``formula_pretty`` of ``n`` known crystals.
        distances: To the hull of the other compositions, shape ``(n,)``, eV/atom.
        hull: The hull of all of them.
    """

    names: pl.DataFrame
    distances: np.ndarray
    hull: ConvexHull

    @classmethod
    def of(cls, known: pl.DataFrame, hull: ConvexHull | None = None) -> Relatives:
        """Relatives and their hull.

        Args:
            known: Columns ``prototype``, ``decorated_prototype``, ``formula_pretty``, ``atomic_numbers`` and
                ``formation_energy_per_atom``.
            hull: That of these crystals and of whatever else competes; by default that of the crystals alone.
        """
        fractions, energies = atomic_fractions(known["atomic_numbers"].to_list()), known[_ENERGY].to_numpy()
        hull = hull or ConvexHull(fractions, energies)
        distances = hull.decomposition_energies(fractions, energies)
        return cls(
            names=known.select(_NAMES),
            distances=np.where(np.isnan(distances), energies, distances),  # elements compete with nothing
            hull=hull,
        )

    def including(self, more: pl.DataFrame) -> Relatives:
        """These and more known crystals, with the columns of :meth:`of`; the hull stays as it is."""
        energies, fractions = more[_ENERGY].to_numpy(), atomic_fractions(more["atomic_numbers"].to_list())
        return Relatives(
            names=pl.concat([self.names, more.select(_NAMES)]),
            distances=np.concatenate([self.distances, self.hull.decomposition_energies(fractions, energies)]),
            hull=self.hull,
        )

    def energies(self, crystals: pl.DataFrame) -> np.ndarray:
        """Formation energies by the mean distance of relatives of other formulas to the hull.

        Args:
            crystals: Columns ``prototype``, ``decorated_prototype``, ``formula_pretty`` and ``atomic_numbers``.

        Returns:
            Shape ``(m,)``, eV/atom; NaN where no relative is known.
        """
        fractions = atomic_fractions(crystals["atomic_numbers"].to_list())
        above = self.hull.decomposition_energies(fractions, np.zeros(len(fractions)))
        return np.array([self._distance(*row) for row in crystals.select(_NAMES).iter_rows()]) - above

    @cached_property
    def _families(self) -> Mapping[str, Family]:
        return families(self.names)

    @cached_property
    def _formulas(self) -> np.ndarray:
        return self.names["formula_pretty"].to_numpy()

    def _distance(self, prototype: str, label: str, formula: str) -> float:
        family = self._families.get(prototype)
        if family is None:
            return float("nan")
        others = self._formulas[family.rows] != formula
        if not others.any():
            return float("nan")
        unlike = unlikeness(family, label)[others]
        weights = np.exp((unlike.min() - unlike) / (2 * _WIDTH**2))
        return float(weights @ self.distances[family.rows[others]] / weights.sum())


def unlikeness(family: Family, label: str) -> np.ndarray:
    """Mean squared distance of the elements of a crystal to those of each relative, site by site, shape ``(p,)``.

    Elements on equal orbits are compared in the order that makes the relative most alike.
    """
    orbits, elements = sorted_elements(label)
    amounts = np.array([float(orbit.split("=")[0] or 1) for orbit in orbits])
    new = np.array(elements)[family.orders][:, None, :]
    squares = _squared_distances()[new, family.elements]
    return np.asarray((squares @ (amounts / amounts.sum())).min(axis=0))


def with_relatives(
    candidates: Prediction,
    estimated: np.ndarray,
    *,
    validation: Prediction,
    validation_estimated: np.ndarray,
    true: np.ndarray,
    groups: Sequence[str],
    calibrated: bool = True,
) -> Prediction:
    """Average predictions with what relatives tell, and calibrate again.

    The share of the relatives is fitted on validation crystals, which neither networks nor relatives know; it is 0
    where relatives tell nothing new.

    Args:
        candidates: Predictions of the networks, for ``n`` candidates.
        estimated: What :meth:`Relatives.energies` gives for them, shape ``(n,)``.
        validation: Predictions for ``v`` validation crystals.
        validation_estimated: The same for these, from relatives that were learned from, shape ``(v,)``.
        true: Their labels, shape ``(v,)``, eV/atom.
        groups: Formula or chemical system of each; see :meth:`lodestone.ensemble.calibration.Calibration.fit`.
        calibrated: Whether errors are calibrated; otherwise the calibration stays as it is.
    """
    share = fitted_share(validation.mean, validation_estimated, true)
    known, asked = _averaged(validation, validation_estimated, share), _averaged(candidates, estimated, share)
    if not calibrated:
        return replace(asked, std=asked.calibration.std(asked.spread, asked.out_of_distribution))
    calibration = Calibration.fit(true - known.mean, known.spread, groups, known.out_of_distribution)
    return replace(asked, std=calibration.std(asked.spread, asked.out_of_distribution), calibration=calibration)


def fitted_share(mean: np.ndarray, estimated: np.ndarray, true: np.ndarray) -> float:
    """Share of the relatives with the least mean absolute error, 0 where no crystal has relatives."""
    has = np.isfinite(estimated)
    if not has.any():
        return 0.0
    errors = [np.abs(mean + share * (estimated - mean) - true)[has].mean() for share in _SHARES]
    return float(_SHARES[int(np.argmin(errors))])


def _averaged(prediction: Prediction, estimated: np.ndarray, share: float) -> Prediction:
    """Mean and spread of a mixture of networks and relatives; crystals without relatives stay as they are."""
    apart = np.nan_to_num(estimated - prediction.mean)
    spread = np.sqrt(prediction.spread**2 + share * (1 - share) * apart**2)
    return replace(prediction, mean=prediction.mean + share * apart, spread=spread)


@lru_cache(maxsize=1)
def _squared_distances() -> np.ndarray:
    from lodestone.models.element_features import element_features

    scaled = element_features().numpy() * np.array(_IMPORTANCE)
    return np.asarray(((scaled[:, None] - scaled) ** 2).sum(axis=-1))
