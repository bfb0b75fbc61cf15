"""Combine both views of one round: ``python stages/ensemble.py ROUND``."""

import sys

import polars as pl

from lodestone.config.load import load_params
from lodestone.ensemble.evaluate import combine_geometries, novelty_of
from lodestone.ensemble.predictor import save_rules
from lodestone.models.weights import load_view
from lodestone.runtime.seeds import child_seed
from lodestone.schemas import Crystals, MemberPredictions, Predictions
from lodestone.stage import run_stage
from lodestone.substitution.unrelaxed import guesses_held_out
from lodestone.tables.files import read_table, write_json, write_table
from lodestone.tables.layout import METRICS, Layout


def main() -> None:
    """Read the predictions of both views, write their combination, its calibration and its metrics."""
    (name,) = sys.argv[1:]
    params, files = load_params(), Layout().round(name)
    crystals = read_table(files.crystals, Crystals)
    composition, structure = (
        read_table(files.member_predictions(view), MemberPredictions) for view in ("composition", "structure")
    )
    guesses = guesses_held_out(crystals, child_seed(params.seed, name, "structure"))
    seen, novelty = novelty_of(load_view(files.models("structure")), crystals, guesses)
    group = "chemsys" if params.split.by == "chemsys" else "formula_pretty"
    combined = combine_geometries(
        composition, structure, crystals, guesses, novelty, params.ensemble.combination, group
    )
    save_rules({geometry: found.rule for geometry, found in combined.items()}, files.ensemble)
    seen.save(files.novelty)
    table = pl.concat(found.table for found in combined.values())
    write_table(table, files.predictions, Predictions, sort_by=["material_id", "geometry"])
    write_json(
        combined["relaxed"].metrics | {"unrelaxed": combined["unrelaxed"].metrics}, METRICS / name / "ensemble.json"
    )


if __name__ == "__main__":
    run_stage(main)
