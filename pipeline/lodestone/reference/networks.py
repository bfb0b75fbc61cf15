"""A small ensemble of all views, trained on a reference set as the stages of a campaign train theirs."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from lodestone.config.sections import ViewParams
from lodestone.ensemble.ensemble import Ensemble
from lodestone.ensemble.evaluate import evaluate_input_structures, fit_out_of_distribution
from lodestone.models.registry import latent_view
from lodestone.runtime.seeds import child_seed
from lodestone.stability.hull import ConvexHull
from lodestone.substitution.unrelaxed import unrelaxed_held_out
from lodestone.training.train import train_view

_PARTS = 20
_SPLITS = {0: "validation", 1: "validation", 2: "test"}  # of twenty parts; the rest is trained on


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
    held_out, judge = unrelaxed_held_out(crystals, shared), latent_view(list(views))
    seen, reasons = fit_out_of_distribution(trained[judge].saved if judge else None, crystals, held_out)
    evaluations = evaluate_input_structures(
        {view: one.predictions for view, one in trained.items()},
        crystals,
        unrelaxed_structures=held_out,
        out_of_distribution=reasons,
    )
    predictors = {name: evaluation.predictor for name, evaluation in evaluations.items()}
    return Ensemble(views={view: one.saved for view, one in trained.items()}, predictors=predictors, seen=seen)


def deal(table: pl.DataFrame) -> pl.DataFrame:
    """The table with its hull distances and a split by formula; elements are always trained on."""
    formulas = table["formula_pretty"].unique().to_list()
    splits = {formula: _SPLITS.get(child_seed(0, "split", formula) % _PARTS, "train") for formula in formulas}
    split = pl.col("formula_pretty").replace_strict(splits, return_dtype=pl.String)
    compound = pl.col("chemsys").str.contains("-", literal=True)
    return table.with_columns(
        pl.when(compound).then(split).otherwise(pl.lit("train")).alias("split"),
        pl.Series("energy_above_hull", ConvexHull.of(table).distances),
    )
