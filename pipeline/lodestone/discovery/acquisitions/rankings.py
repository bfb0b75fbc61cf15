"""The rankings that come with Lodestone.

An acquisition is one function, registered under the name by which `discovery.acquisition` chooses it. It is given the
screened candidates (:class:`lodestone.schemas.Candidates`) in random order, so that equals are drawn by lot, and
`discovery.threshold`; it gives back the rows that are worth the oracle, the best first. Budget and limits per chemical
system are kept by who calls it.

Examples:
    >>> import polars as pl
    >>> candidates = pl.DataFrame({"material_id": ["a", "b"], "energy_above_hull_pred": [0.2, -0.1]})
    >>> lowest_energy(candidates, threshold=0.05)["material_id"].to_list()
    ['b']
"""

from __future__ import annotations

import polars as pl

from lodestone.config.registry import ACQUISITIONS

_ENERGY = "energy_above_hull_pred"


@ACQUISITIONS.register("stability_probability")
def stability_probability(candidates: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """The likeliest to be stable first, of those predicted within the threshold (eV/atom) of the hull."""
    near = candidates.filter(pl.col(_ENERGY) <= threshold)
    return near.sort("stability_probability", _ENERGY, "material_id", descending=[True, False, False])


@ACQUISITIONS.register("lowest_energy")
def lowest_energy(candidates: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """The lowest predicted above the hull first, of those within the threshold (eV/atom)."""
    return candidates.filter(pl.col(_ENERGY) <= threshold).sort(_ENERGY, "material_id")


@ACQUISITIONS.register("random")
def in_random_order(candidates: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """All candidates, drawn by lot."""
    return candidates
