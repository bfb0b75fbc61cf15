"""Deal the crystals to train, validation and test, and lay the ground for the first round."""

from lodestone.config.load import load_params
from lodestone.curation.splits import crystals_contract, empty_attempts, split_metrics, split_snapshot
from lodestone.schemas import Attempts, Labelled
from lodestone.stage import run_stage
from lodestone.tables.files import read_table, write_json, write_table
from lodestone.tables.layout import METRICS, Layout


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
