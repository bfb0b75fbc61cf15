"""Stage ``snapshot``: take the crystals from the source that the parameters name, with their provenance."""

from lodestone.config.load import load_params
from lodestone.schemas import Rejections, Snapshot
from lodestone.snapshot.take import take_snapshot
from lodestone.stage import run_stage
from lodestone.tables.files import write_json, write_table
from lodestone.tables.layout import Layout


def main() -> None:
    """Write the snapshot, the rows that could not be read, and the provenance."""
    params, layout = load_params(), Layout()
    table, rejections, provenance = take_snapshot(params.snapshot, params.seed)
    write_table(table, layout.snapshot, Snapshot, sort_by="material_id")
    write_table(rejections, layout.snapshot.with_name("rejections.parquet"), Rejections)
    write_json(provenance, layout.provenance)
    print(f"snapshot of {len(table)} crystals from {params.snapshot.source}, {len(rejections)} rows could not be read")


if __name__ == "__main__":
    run_stage(main)
