"""Train one view for one round: ``python stages/train.py VIEW ROUND``.

On several GPUs or machines: ``torchrun --nproc-per-node 2 stages/train.py VIEW ROUND``.
"""

import sys

from lodestone.config.load import load_params
from lodestone.models.weights import save_view
from lodestone.runtime.seeds import child_seed
from lodestone.schemas import Crystals, MemberPredictions
from lodestone.stage import record_timing, run_stage
from lodestone.tables.files import read_json, read_table, write_atomically, write_table
from lodestone.tables.layout import Layout
from lodestone.training.distributed import process_group
from lodestone.training.train import train_view


def main() -> None:
    """Read the known crystals of the round, write networks, learning curves and predictions."""
    view, name = sys.argv[1:]
    params, files = load_params(), Layout().round(name)
    start = files.warm_start / view
    trained_elsewhere = read_json(files.warm_start / "origin.json")["round"] is None
    crystals = read_table(files.crystals, Crystals)
    with process_group() as ranks:
        seed, shared = (child_seed(params.seed, name, one) for one in (view, "structure"))
        trained = train_view(
            view,
            params.view(view),
            crystals,
            start if start.is_dir() else None,
            seed,
            structures_seed=shared,  # as for all views
            other_labels=trained_elsewhere,
        )
        if ranks.writes:
            save_view(trained.saved, files.models(view))
            predictions = files.member_predictions(view)
            write_table(
                trained.predictions,
                predictions,
                MemberPredictions,
                sort_by=["material_id", "input_structure", "member"],
            )
            write_atomically(files.history(view), trained.history.write_csv)
            record_timing(**trained.speed)


if __name__ == "__main__":
    run_stage(main)
