"""The rankings that come with Lodestone.

An acquisition is one function, registered under the name by which `discovery.acquisition` chooses it. It gets the
screened candidates (:class:`lodestone.schemas.Candidates`) in random order, so that ties are broken at random, and
`discovery.threshold`; it returns the rows worth giving to the oracle, best first. The caller applies the budget and the
limits per chemical system.

Examples:
    >>> import polars as pl
    >>> candidates = pl.DataFrame({"material_id": ["a", "b"], "energy_above_hull_pred": [0.2, -0.1]})
    >>> lowest_energy(candidates, threshold=0.05)["material_id"].to_list()
    ['b']
"""

from __future__ import annotations

import numpy as np
import polars as pl

from lodestone.config.registry import ACQUISITIONS

_ENERGY, _STD = "energy_above_hull_pred", "formation_energy_per_atom_std"
_TINY = 1e-9  # eV/atom: where no error is expected, the improvement is the depth


@ACQUISITIONS.register("stability_probability")
def stability_probability(candidates: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """The likeliest to be stable first, of those predicted within the threshold (eV/atom) of the hull."""
    near = candidates.filter(pl.col(_ENERGY) <= threshold)
    return near.sort("stability_probability", _ENERGY, "material_id", descending=[True, False, False])


@ACQUISITIONS.register("hit_probability")
def hit_probability(candidates: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """The likeliest hits first: stable, but not so deep below the hull that phases must be missing there."""
    hit = pl.col("stability_probability") - pl.col("incomplete_probability")
    near = candidates.filter(pl.col(_ENERGY) <= threshold)
    return near.sort(hit, _ENERGY, "material_id", descending=[True, False, False])


@ACQUISITIONS.register("expected_improvement")
def expected_improvement(candidates: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """Those first that are expected to lower the hull most, of those predicted within the threshold (eV/atom).

    The expectation of the depth below the hull, or of nothing above it, if errors are normal (Mockus, 1978; Jones,
    Schonlau & Welch, J. Glob. Optim. 13, 455 (1998)).
    """
    from scipy.stats import norm

    near = candidates.filter(pl.col(_ENERGY) <= threshold)
    std = np.maximum(near[_STD].to_numpy(), _TINY)
    depth = -near[_ENERGY].to_numpy() / std
    gain = pl.Series("_gain", std * (norm.pdf(depth) + depth * norm.cdf(depth)), dtype=pl.Float64)
    return near.with_columns(gain).sort("_gain", _ENERGY, "material_id", descending=[True, False, False]).drop("_gain")


@ACQUISITIONS.register("upper_confidence")
def upper_confidence(candidates: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """Those first that may lie lowest: by the predicted distance to the hull less one error (eV/atom).

    An upper confidence bound of the depth (Srinivas et al., arXiv:0912.3995), of candidates within the threshold.
    """
    near = candidates.filter(pl.col(_ENERGY) <= threshold)
    return near.sort(pl.col(_ENERGY) - pl.col(_STD), _ENERGY, "material_id")


@ACQUISITIONS.register("lowest_energy")
def lowest_energy(candidates: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """The lowest predicted above the hull first, of those within the threshold (eV/atom)."""
    return candidates.filter(pl.col(_ENERGY) <= threshold).sort(_ENERGY, "material_id")


@ACQUISITIONS.register("random")
def in_random_order(candidates: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """All candidates, in random order."""
    return candidates


@ACQUISITIONS.register("likeliest_substitution")
def likeliest_substitution(candidates: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """What the generator holds most likely first, whatever networks predict: a baseline that needs none."""
    return candidates.sort("weight", descending=True, maintain_order=True)
