"""Reading a campaign: the order of the rounds, and faults that name the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from lodestone.errors import LodestoneError
from lodestone.report.collect import CampaignData, collect
from lodestone.tables.files import read_json, write_json

from .synthetic import write_campaign


def test_rounds_come_in_chain_order_and_the_end_lies_behind_the_last(campaign: CampaignData) -> None:
    assert [data.name for data in campaign.rounds] == ["round_0", "round_1", "round_2"]
    assert campaign.known.height > campaign.rounds[-1].crystals.height > campaign.rounds[0].crystals.height
    assert campaign.verifications.height == 60


@pytest.mark.parametrize("section", ["hit_rate", "n_discovered", "verified_mae"])
def test_a_metrics_file_without_a_key_is_named(tmp_path: Path, section: str) -> None:
    params, layout, metrics = write_campaign(tmp_path, rounds=1)
    path = metrics / "round_0" / "active_learning.json"
    write_json({key: value for key, value in read_json(path).items() if key != section}, path)
    with pytest.raises(LodestoneError, match=f"round_0 lacks '{section}'"):
        collect(params, layout, metrics)


def test_an_oracle_without_a_caveat_is_refused(tmp_path: Path) -> None:
    params, layout, metrics = write_campaign(tmp_path, rounds=1)
    write_json({"name": "chgnet-0.3.0"}, layout.oracle)
    with pytest.raises(LodestoneError, match=r"oracle\.json lacks 'caveat'"):
        collect(params, layout, metrics)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    params, layout, metrics = write_campaign(tmp_path, rounds=1)
    layout.round("round_1").crystals.unlink()
    with pytest.raises(LodestoneError, match=r"round_1/crystals\.parquet does not exist"):
        collect(params, layout, metrics)
