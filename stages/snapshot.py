"""Stage ``snapshot``: take the crystals from the source that the parameters name, with their provenance."""

from pipeline.layout import Layout
from pipeline.params import load_params
from pipeline.schemas import Rejections, Snapshot
from pipeline.snapshot.take import take_snapshot
from pipeline.stage import run_stage
from pipeline.tables import write_json, write_table


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
