"""One made-up campaign for all tests of the report."""

from __future__ import annotations

import polars as pl
import pytest

from lodestone.report.collect import CampaignData, collect
from lodestone.report.discoveries import discoveries

from .synthetic import write_campaign


@pytest.fixture(scope="session")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> CampaignData:
    return collect(*write_campaign(tmp_path_factory.mktemp("campaign")))


@pytest.fixture(scope="session")
def found(campaign: CampaignData) -> pl.DataFrame:
    return discoveries(campaign)
