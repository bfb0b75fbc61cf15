"""Stage ``validate``: check every crystal of the snapshot; fail, or set bad rows aside."""

from lodestone.config.load import load_params
from lodestone.curation.validation import validate_snapshot
from lodestone.schemas import Rejections, Snapshot, Validated
from lodestone.stage import run_stage
from lodestone.tables.files import read_table, write_table
from lodestone.tables.layout import Layout


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
