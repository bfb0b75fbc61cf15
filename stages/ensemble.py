"""Combine the views of one round: ``python stages/ensemble.py ROUND``."""

import sys

import polars as pl

from lodestone.config.load import load_params
from lodestone.ensemble.combine import combine_views
from lodestone.ensemble.predictor import save_predictors
from lodestone.models.registry import latent_view
from lodestone.models.weights import load_view
from lodestone.runtime.seeds import child_seed
from lodestone.schemas import Crystals, MemberPredictions, Predictions
from lodestone.stage import run_stage
from lodestone.tables.files import read_table, write_json, write_table
from lodestone.tables.layout import METRICS, Layout


def main() -> None:
    """Read the predictions of all views, write their combination, its calibration and its metrics."""
    (name,) = sys.argv[1:]
    params, files = load_params(), Layout().round(name)
    crystals = read_table(files.crystals, Crystals)
    members = {view: read_table(files.member_predictions(view), MemberPredictions) for view in params.views}
    judge = latent_view(params.views)
    combination = combine_views(
        members,
        crystals,
        load_view(files.models(judge)) if judge else None,
        child_seed(params.seed, name, "structure"),
        strategy=params.ensemble.aggregation,
        group="chemsys" if params.split.by == "chemsys" else "formula_pretty",
    )
    save_predictors(combination.predictors, files.ensemble)
    combination.seen.save(files.out_of_distribution)
    evaluations = combination.evaluations
    table = pl.concat(evaluation.table for evaluation in evaluations.values())
    write_table(table, files.predictions, Predictions, sort_by=["material_id", "input_structure"])
    write_json(
        evaluations["relaxed"].metrics | {"unrelaxed": evaluations["unrelaxed"].metrics},
        METRICS / name / "ensemble.json",
    )


if __name__ == "__main__":
    run_stage(main)
