"""Put the snapshot on one scale: the oracle's (:mod:`lodestone.curation.labelling`) or its own (`source_scale`)."""

from functools import partial

from lodestone.config.load import load_params
from lodestone.curation.labelling import label_snapshot
from lodestone.curation.source_scale import keep_labels
from lodestone.oracles.pool import label_all
from lodestone.oracles.registry import as_is, make_oracle
from lodestone.oracles.store import LabelStore, default_path
from lodestone.reference.elements import element_crystals
from lodestone.schemas import Labelled, Phases, References, Rejections, Validated
from lodestone.stage import run_stage
from lodestone.tables.files import read_json, read_table, write_json, write_table
from lodestone.tables.layout import METRICS, Layout


def main() -> None:
    """Read the validated snapshot, write crystals and references on one scale."""
    params, layout = load_params(), Layout()
    oracle = make_oracle(params.oracle)
    snapshot = read_table(layout.validated, Validated)
    with LabelStore(default_path()) as store:
        label = partial(label_all, oracle, store=store, title="labelling the snapshot")
        if params.label.scale == "source":
            done = keep_labels(
                snapshot,
                oracle,
                read_json(layout.provenance),
                params=params.label,
                label=label,
                label_as_is=partial(label_all, as_is(oracle), store=store, title="labelling crystals as they are"),
                element_crystals=element_crystals,
            )
        else:
            done = label_snapshot(snapshot, oracle.name, label, element_crystals)
    write_table(done.crystals, layout.labelled, Labelled, sort_by="material_id")
    write_table(done.references, layout.references, References, sort_by="element")
    write_table(done.phases, layout.phases, Phases, sort_by="material_id")
    write_json(done.difference.as_dict(), layout.difference)
    write_table(done.rejections, layout.label_rejections, Rejections, sort_by="material_id")
    write_json(oracle.facts(), layout.oracle)
    write_json(done.metrics, METRICS / "label.json")


if __name__ == "__main__":
    run_stage(main)
