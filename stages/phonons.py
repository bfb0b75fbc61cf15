"""Compute the phonons of discoveries that nobody disputes: ``python stages/phonons.py``."""

from lodestone.config.load import load_params
from lodestone.handover.campaign import assembled
from lodestone.phonons.stage import NOTHING, undisputed_phonons
from lodestone.phonons.store import VerdictStore, default_folder
from lodestone.report.collect import collect
from lodestone.report.discoveries import discoveries
from lodestone.stage import run_stage
from lodestone.tables.files import write_json
from lodestone.tables.layout import METRICS, Layout


def main() -> None:
    """Read the finished rounds and what further oracles say; write which discoveries are dynamically stable."""
    params, layout = load_params(), Layout()
    content = NOTHING
    if params.phonons.most:
        campaign = assembled(params, layout, discoveries(collect(params, layout, METRICS)))
        content = undisputed_phonons(campaign, params, VerdictStore(default_folder()))
    write_json(content, layout.phonons)


if __name__ == "__main__":
    run_stage(main)
