"""Have further oracles judge the discoveries, each on a hull of its own: ``python stages/opinions.py``."""

from __future__ import annotations

from functools import partial

from lodestone.config.load import load_params
from lodestone.handover.campaign import assembled
from lodestone.opinions.judges import Judge, judges_of
from lodestone.opinions.opinions import opinions
from lodestone.oracles.store import LabelStore, default_path
from lodestone.report.collect import collect
from lodestone.report.discoveries import discoveries
from lodestone.stage import run_stage
from lodestone.tables.files import write_json
from lodestone.tables.layout import METRICS, Layout


def main() -> None:
    """Read the finished rounds and write what the oracles of ``opinions.oracles`` say of their discoveries."""
    params, layout = load_params(), Layout()
    campaign = assembled(params, layout, discoveries(collect(params, layout, METRICS)))
    judges = judges_of(params)
    with LabelStore(default_path()) as store:
        label = partial(Judge.label, store=store)
        write_json(opinions(campaign, judges, label, params.opinions.near), layout.opinions)


if __name__ == "__main__":
    run_stage(main)
