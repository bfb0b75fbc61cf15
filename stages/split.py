"""Deal the crystals to train, validation and test, and lay the ground for the first round."""

from pipeline.layout import METRICS, Layout
from pipeline.params import load_params
from pipeline.schemas import Attempts, Labelled
from pipeline.splits import crystals_contract, empty_attempts, split_metrics, split_snapshot
from pipeline.stage import run_stage
from pipeline.tables import read_table, write_json, write_table


def main() -> None:
    """Read the labelled snapshot, write what round_0 starts from."""
    params, layout = load_params().split, Layout()
    first = layout.round("round_0")
    crystals = split_snapshot(read_table(layout.labelled, Labelled), params)
    write_table(crystals, first.crystals, crystals_contract(params), sort_by="material_id")
    write_table(empty_attempts(), first.attempts, Attempts)
    write_json({"round": None}, first.warm_start / "origin.json")
    write_json(split_metrics(crystals), METRICS / "split.json")


if __name__ == "__main__":
    run_stage(main)
