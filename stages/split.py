"""Deal the crystals to train, validation and test, and lay the ground for the first round."""

from pathlib import Path

from lodestone.config.load import load_params
from lodestone.curation.splits import crystals_contract, empty_attempts, split_metrics, split_snapshot
from lodestone.curation.warm_start import lay_warm_start
from lodestone.prediction.shipped import PRETRAINED, SHIPPED
from lodestone.schemas import Attempts, Labelled
from lodestone.stage import run_stage
from lodestone.tables.files import read_table, write_json, write_table
from lodestone.tables.layout import METRICS, Layout


def main() -> None:
    """Read the labelled snapshot, write what round_0 starts from."""
    params, layout = load_params(), Layout()
    first = layout.round("round_0")
    crystals = split_snapshot(read_table(layout.labelled, Labelled), params.split)
    write_table(crystals, first.crystals, crystals_contract(params.split), sort_by="material_id")
    write_table(empty_attempts(), first.attempts, Attempts)
    networks = PRETRAINED if params.warm_start == SHIPPED else Path(params.warm_start)
    digests = {} if params.warm_start == "none" else lay_warm_start(networks, params.views, first.warm_start)
    write_json({"round": None, "networks": params.warm_start, "digests": digests}, first.warm_start / "origin.json")
    write_json(split_metrics(crystals), METRICS / "split.json")


if __name__ == "__main__":
    run_stage(main)
