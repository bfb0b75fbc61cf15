"""Put the snapshot on the oracle's scale; see :mod:`pipeline.labelling`."""

from functools import partial

from pipeline.labelling import label_snapshot
from pipeline.layout import METRICS, Layout
from pipeline.oracles.make import make_oracle
from pipeline.oracles.pool import label_all
from pipeline.oracles.store import LabelStore, default_path
from pipeline.params import load_params
from pipeline.reference.elements import element_crystals
from pipeline.schemas import Labelled, References, Rejections, Validated
from pipeline.stage import run_stage
from pipeline.tables import read_table, write_json, write_table


def main() -> None:
    """Read the validated snapshot, write crystals and references of one oracle."""
    params, layout = load_params(), Layout()
    oracle = make_oracle(params.oracle)
    snapshot = read_table(layout.validated, Validated)
    with LabelStore(default_path()) as store:
        label = partial(label_all, oracle, store=store, title="labelling the snapshot")
        done = label_snapshot(snapshot, oracle.name, label, element_crystals)
    write_table(done.crystals, layout.labelled, Labelled, sort_by="material_id")
    write_table(done.references, layout.references, References, sort_by="element")
    write_table(done.rejections, layout.label_rejections, Rejections, sort_by="material_id")
    write_json(done.metrics, METRICS / "label.json")


if __name__ == "__main__":
    run_stage(main)
