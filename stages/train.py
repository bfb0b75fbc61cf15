"""Train one view for one round: ``python stages/train.py VIEW ROUND``.

On several GPUs or machines: ``torchrun --nproc-per-node 2 stages/train.py VIEW ROUND``.
"""

import sys

from pipeline.layout import Layout
from pipeline.learning.distributed import process_group
from pipeline.learning.storage import save_view
from pipeline.learning.train import train_view
from pipeline.params import load_params
from pipeline.schemas import Crystals, MemberPredictions
from pipeline.seeds import child_seed
from pipeline.stage import record_timing, run_stage
from pipeline.tables import read_json, read_table, write_atomically, write_table


def main() -> None:
    """Read the known crystals of the round, write networks, learning curves and predictions."""
    view, name = sys.argv[1:]
    params, files = load_params(), Layout().round(name)
    previous = read_json(files.warm_start / "origin.json")["round"]
    start = None if previous is None else files.warm_start / view
    crystals = read_table(files.crystals, Crystals)
    with process_group() as ranks:
        trained = train_view(view, params.view(view), crystals, start, child_seed(params.seed, name, view))
        if ranks.writes:
            save_view(trained.saved, files.models(view))
            predictions = files.member_predictions(view)
            write_table(
                trained.predictions, predictions, MemberPredictions, sort_by=["material_id", "geometry", "member"]
            )
            write_atomically(files.history(view), trained.history.write_csv)
            record_timing(**trained.speed)


if __name__ == "__main__":
    run_stage(main)
