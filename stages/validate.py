"""Stage ``validate``: check every crystal of the snapshot; fail, or set bad rows aside."""

from pipeline.layout import Layout
from pipeline.params import load_params
from pipeline.schemas import Rejections, Snapshot, Validated
from pipeline.stage import run_stage
from pipeline.tables import read_table, write_table
from pipeline.validation import validate_snapshot


def main() -> None:
    """Write the good rows; bad rows go to the quarantine, or end the stage with a table of reasons."""
    params, layout = load_params().validate_, Layout()
    table = read_table(layout.snapshot, Snapshot)
    rejections = read_table(layout.snapshot.with_name("rejections.parquet"), Rejections)
    good = validate_snapshot(table, rejections, params, layout.quarantine)
    write_table(good, layout.validated, Validated, sort_by="material_id")
    print(f"{len(good)} crystals are sound, {len(table) + len(rejections) - len(good)} are set aside")


if __name__ == "__main__":
    run_stage(main)
