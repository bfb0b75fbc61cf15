"""Combine the views of one round: ``python stages/ensemble.py ROUND``."""

import sys

import polars as pl

from lodestone.config.load import load_params
from lodestone.ensemble.evaluate import evaluate_input_structures, fit_formulas, fit_out_of_distribution
from lodestone.ensemble.predictor import save_predictors
from lodestone.models.registry import latent_view
from lodestone.models.weights import load_view
from lodestone.runtime.seeds import child_seed
from lodestone.schemas import Crystals, MemberPredictions, Predictions
from lodestone.stage import run_stage
from lodestone.substitution.unrelaxed import unrelaxed_held_out
from lodestone.tables.files import read_table, write_json, write_table
from lodestone.tables.layout import METRICS, Layout


def main() -> None:
    """Read the predictions of all views, write their combination, its calibration and its metrics."""
    (name,) = sys.argv[1:]
    params, files = load_params(), Layout().round(name)
    crystals = read_table(files.crystals, Crystals)
    members = {view: read_table(files.member_predictions(view), MemberPredictions) for view in params.views}
    unrelaxed_structures = unrelaxed_held_out(crystals, child_seed(params.seed, name, "structure"))
    judge = latent_view(params.views)
    group = "chemsys" if params.split.by == "chemsys" else "formula_pretty"
    seen, out_of_distribution = fit_out_of_distribution(
        load_view(files.models(judge)) if judge else None, crystals, unrelaxed_structures
    )
    evaluations = evaluate_input_structures(
        members,
        crystals,
        unrelaxed_structures=unrelaxed_structures,
        out_of_distribution=out_of_distribution,
        strategy=params.ensemble.aggregation,
        group=group,
    )
    predictors = {input_structure: evaluation.predictor for input_structure, evaluation in evaluations.items()}
    save_predictors(predictors | fit_formulas(members, crystals, out_of_distribution["relaxed"], group), files.ensemble)
    seen.save(files.out_of_distribution)
    table = pl.concat(evaluation.table for evaluation in evaluations.values())
    write_table(table, files.predictions, Predictions, sort_by=["material_id", "input_structure"])
    write_json(
        evaluations["relaxed"].metrics | {"unrelaxed": evaluations["unrelaxed"].metrics},
        METRICS / name / "ensemble.json",
    )


if __name__ == "__main__":
    run_stage(main)
