"""Turn the spread of an ensemble into calibrated errors: intervals and probabilities, fitted on validation crystals.

Three steps, each on the validation crystals alone:

1. ``std² = floor² + (scale × spread)²``: members that agree may all be wrong, so a spread of 0 is no certainty.
   Fitted by the likelihood of a Laplace distribution, whose tails are closer to those of the errors.
2. Split-conformal: the 90 % quantile of ``|error| / std``, with the correction for a finite sample. Crystals of one
   group (formula or chemical system, whichever the split uses) err together, so groups are counted, with one vote
   each (Lee, Barber & Willett, arXiv:2306.06342); with one crystal in each group that is the usual
   ``ceil((n + 1) 0.9)``-th smallest.
3. The empirical distribution of ``error / std``, not a normal one, for the probability of lying below an energy.

Crystals unlike the training set (:mod:`lodestone.ensemble.out_of_distribution`) get their std widened by a factor: for
each reason, how much larger the conformal quantile of such validation crystals is, where there are enough of them, else
a factor of :data:`INFLATION`, measured once. The few numbers of step 1 are fitted on the crystals that step 2 counts,
which costs less coverage than setting crystals aside for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lodestone.errors import LodestoneError

COVERAGE = 0.9
ENOUGH = 30  # groups from which a quantile is taken
# Factors on the std of flagged crystals where validation has too few (benchmarks/uncertainty.py measures them).
INFLATION: Mapping[str, float] = {"element": 2.0, "pair": 1.4, "system": 1.3, "latent": 2.0}

_RATIOS = np.concatenate([[0.0], np.geomspace(1e-2, 1e2, 81)])  # of floor to scale, in typical spreads
_SMALLEST = 1e-6  # eV/atom
_NODES = 199  # quantiles that are kept of the distribution of errors
_LAPLACE = np.sqrt(0.5)  # decay of a Laplace distribution of unit variance: that of the tails beyond the last error


@dataclass(frozen=True)
class Calibration:
    """What the errors of an ensemble look like, in units of its std.

    Attributes:
        floor: Error where all members agree, eV/atom.
        scale: Factor from the spread of the members to the error.
        quantile: Half the width of the 90 % interval over the std.
        inflation: Factor on the std by reason of being out of distribution.
        errors: Error over std at evenly spaced probabilities, ascending; the error is label minus prediction.
        n: Validation crystals behind these numbers.
    """

    floor: float
    scale: float
    quantile: float
    inflation: Mapping[str, float]
    errors: tuple[float, ...]
    n: int

    @classmethod
    def fit(
        cls, error: np.ndarray, spread: np.ndarray, groups: Sequence[str], out_of_distribution: Sequence[str]
    ) -> Calibration:
        """Fit on validation crystals.

        Args:
            error: Label minus prediction, shape ``(n,)``, eV/atom.
            spread: Of the members, shape ``(n,)``, eV/atom.
            groups: Formula or chemical system of each crystal; crystals of one group are held out together.
            out_of_distribution: Reasons why each is out of distribution, joined by commas; empty if it is not.

        Raises:
            LodestoneError: If there is no crystal to fit on.
        """
        if len(error) == 0:
            raise LodestoneError("no crystal is in the validation set", "raise split.validation in params.yaml")
        floor, scale = fit_std(error, spread)
        plain = np.sqrt(floor**2 + (scale * spread) ** 2)
        score, named = np.abs(error) / plain, np.asarray(groups)
        usual = np.array([not reasons for reasons in out_of_distribution])
        base = usual if len(set(named[usual])) >= ENOUGH else np.ones(len(error), dtype=bool)
        quantile = conformal_quantile(score[base], named[base])
        inflation = {
            reason: _inflation(
                reason,
                score,
                named,
                np.array([reason in reasons.split(",") for reasons in out_of_distribution]),
                quantile,
            )
            for reason in INFLATION
        }
        inflated = error / (plain * factors(out_of_distribution, inflation))
        return cls(
            floor=floor,
            scale=scale,
            quantile=quantile,
            inflation=inflation,
            errors=_distribution(inflated, named),
            n=len(error),
        )

    @classmethod
    def none(cls) -> Calibration:
        """The spread taken as the error: normal errors, nothing widened."""
        from scipy.stats import norm

        nodes = norm.ppf(np.arange(1, _NODES + 1) / (_NODES + 1))
        half = float(norm.ppf(0.5 + COVERAGE / 2))
        inflation = dict.fromkeys(INFLATION, 1.0)
        return cls(floor=0.0, scale=1.0, quantile=half, inflation=inflation, errors=tuple(nodes.tolist()), n=0)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Calibration:
        """The inverse of :meth:`as_dict`."""
        return cls(**{**content, "errors": tuple(content["errors"])})

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, ready for JSON."""
        return asdict(self) | {"errors": list(self.errors)}

    def std(self, spread: np.ndarray, out_of_distribution: Sequence[str]) -> np.ndarray:
        """Expected size of the error, shape ``(n,)``, eV/atom, widened where a crystal is out of distribution."""
        plain = np.sqrt(self.floor**2 + (self.scale * spread) ** 2)
        return np.maximum(plain, _SMALLEST) * factors(out_of_distribution, self.inflation)

    def interval(self, mean: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the 90 % intervals, both of shape ``(n,)``, eV/atom."""
        return mean - self.quantile * std, mean + self.quantile * std

    def probability_below(self, energy: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
        """P(label <= energy), shape ``(n,)``: interpolated between the errors seen, decaying beyond them."""
        nodes = np.asarray(self.errors)
        probabilities = np.arange(1, len(nodes) + 1) / (len(nodes) + 1)
        z = (energy - mean) / std
        last = probabilities[0]
        low = last * np.exp(np.minimum(z - nodes[0], 0) / _LAPLACE)
        high = 1 - last * np.exp(np.minimum(nodes[-1] - z, 0) / _LAPLACE)
        return np.where(z < nodes[0], low, np.where(z > nodes[-1], high, np.interp(z, nodes, probabilities)))


def fit_std(error: np.ndarray, spread: np.ndarray) -> tuple[float, float]:
    """Floor and scale of ``std² = floor² + (scale × spread)²`` by the likelihood of Laplace errors.

    For a given ratio of the two the best scale has a closed form, so one search over the ratio finds the best of all.
    """
    typical = max(float(np.median(spread)), _SMALLEST)
    fits = []
    for ratio in _RATIOS * typical:
        shape = np.maximum(np.sqrt(ratio**2 + spread**2), _SMALLEST)
        size = max(float(np.mean(np.abs(error) / shape)), _SMALLEST)
        fits.append((float(np.log(shape).mean() + np.log(size)), ratio, size / _LAPLACE))
    _, ratio, scale = min(fits)
    return max(float(ratio * scale), _SMALLEST), float(scale)


def conformal_quantile(score: np.ndarray, groups: np.ndarray, coverage: float = COVERAGE) -> float:
    """The score that a crystal of a new group stays below with a given probability.

    Each of K groups has weight 1 / (K + 1), shared by its crystals; the rest lies at infinity. Where the rest is more
    than may be left uncovered (fewer than nine groups), the result is the largest score seen, which covers less.

    Args:
        score: Shape ``(n,)``.
        groups: Name of the group of each, shape ``(n,)``.
        coverage: Probability.
    """
    order = np.argsort(score, kind="stable")
    reached = np.cumsum(_votes(groups)[order])
    within = np.flatnonzero(reached >= coverage - 1e-12)
    return float(score[order][within[0] if len(within) else -1])


def factors(out_of_distribution: Sequence[str], inflation: Mapping[str, float]) -> np.ndarray:
    """Largest factor among the reasons of each crystal, shape ``(n,)``; 1 without a reason."""
    return np.array(
        [max([inflation[name] for name in reasons.split(",") if name], default=1.0) for reasons in out_of_distribution]
    )


def _inflation(reason: str, score: np.ndarray, groups: np.ndarray, flagged: np.ndarray, quantile: float) -> float:
    if len(set(groups[flagged])) < ENOUGH:
        return INFLATION[reason]
    return max(1.0, conformal_quantile(score[flagged], groups[flagged]) / max(quantile, _SMALLEST))


def _votes(groups: np.ndarray) -> np.ndarray:
    """Weight of each crystal: one vote per group, and one for the group to come."""
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return np.asarray(1 / ((len(sizes) + 1) * sizes[group]))


def _distribution(z: np.ndarray, groups: np.ndarray) -> tuple[float, ...]:
    """Quantiles of the errors at evenly spaced probabilities, as many as there are groups, at most :data:`_NODES`."""
    n_nodes = min(len(set(groups)), _NODES)
    order = np.argsort(z, kind="stable")
    votes = _votes(groups)[order]
    probabilities = np.cumsum(votes) - votes / 2 + 0.5 / (len(set(groups)) + 1)
    nodes = np.interp(np.arange(1, n_nodes + 1) / (n_nodes + 1), probabilities, z[order])
    return tuple(float(node) for node in nodes)
