"""A small ensemble of all views, trained on a reference set as the stages of a campaign train theirs."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from lodestone.config.sections import SplitParams, ViewParams
from lodestone.crystals.splits import split_by_hash
from lodestone.ensemble.combine import combine_views
from lodestone.ensemble.ensemble import Ensemble
from lodestone.models.registry import latent_view
from lodestone.runtime.seeds import child_seed
from lodestone.stability.hull import ConvexHull
from lodestone.training.train import train_view

_SPLIT = SplitParams(by="formula", validation=0.1, test=0.05)


def train_ensemble(table: pl.DataFrame, views: Mapping[str, ViewParams], seed: int) -> Ensemble:
    """Train, combine and calibrate networks.

    Args:
        table: The reference set.
        views: Parameters of each view.
        seed: Of this training.
    """
    crystals = deal(table)
    shared = child_seed(seed, "structure")
    trained = {
        view: train_view(view, params, crystals, None, child_seed(seed, view), structures_seed=shared)
        for view, params in views.items()
    }
    members, judge = {view: one.predictions for view, one in trained.items()}, latent_view(list(views))
    combination = combine_views(members, crystals, trained[judge].saved if judge else None, shared)
    saved = {view: one.saved for view, one in trained.items()}
    return Ensemble(views=saved, predictors=combination.predictors, seen=combination.seen)


def deal(table: pl.DataFrame) -> pl.DataFrame:
    """The table with its hull distances and a split by formula; elements are always trained on."""
    return table.with_columns(
        split_by_hash(table, _SPLIT), pl.Series("energy_above_hull", ConvexHull.of(table).distances)
    )
