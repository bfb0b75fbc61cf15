"""Combine both views of one round: ``python stages/ensemble.py ROUND``."""

import sys

from pipeline.layout import METRICS, Layout
from pipeline.learning.combine import combine_views
from pipeline.schemas import Crystals, MemberPredictions, Predictions
from pipeline.stage import run_stage
from pipeline.tables import read_table, write_json, write_table


def main() -> None:
    """Read the predictions of both views, write their combination and its metrics."""
    (name,) = sys.argv[1:]
    files = Layout().round(name)
    composition = read_table(files.member_predictions("composition"), MemberPredictions)
    structure = read_table(files.member_predictions("structure"), MemberPredictions)
    combination, predictions, metrics = combine_views(composition, structure, read_table(files.crystals, Crystals))
    write_json(combination.as_dict(), files.ensemble)
    write_table(predictions, files.predictions, Predictions, sort_by="material_id")
    write_json(metrics, METRICS / name / "ensemble.json")


if __name__ == "__main__":
    run_stage(main)
