"""Write the campaign report, its discoveries and the figures of every round for `dvc plots`."""

from __future__ import annotations

from lodestone.config.load import load_params
from lodestone.report.collect import collect
from lodestone.report.discoveries import discoveries, write_cifs
from lodestone.report.page import render
from lodestone.report.summary import campaign_summary, error_table, headline, rounds_table
from lodestone.schemas import Discoveries
from lodestone.stage import run_stage
from lodestone.tables.files import write_atomically, write_json, write_table
from lodestone.tables.layout import METRICS, REPORTS, Layout


def main() -> None:
    """Read the finished campaign and write everything that is reported about it."""
    campaign = collect(load_params(), Layout(), METRICS)
    table = discoveries(campaign)
    write_table(table, REPORTS / "discoveries.parquet", Discoveries)
    write_cifs(table, campaign.oracle, REPORTS / "cifs")
    write_atomically(METRICS / "rounds.csv", rounds_table(campaign).write_csv)
    write_atomically(METRICS / "test_mae.csv", error_table(campaign).write_csv)
    write_json(campaign_summary(campaign, table), METRICS / "campaign.json")
    write_json(headline(campaign, table), METRICS / "summary.json")
    page = render(campaign, table)
    write_atomically(REPORTS / "campaign.html", lambda target: target.write_text(page, encoding="utf-8"))


if __name__ == "__main__":
    run_stage(main)
