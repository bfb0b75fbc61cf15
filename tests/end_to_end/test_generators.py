"""The generator of the how-to page in a campaign of its own, and a campaign that finds nothing more to do."""

import json
import shutil

import polars as pl
import pytest
from tiny_campaign import ROOT, Campaign, make_campaign

from lodestone.schemas import Candidates, Crystals, Verifications
from lodestone.tables.files import read_json, read_table

pytestmark = pytest.mark.end_to_end

TOY = ROOT / "docs" / "how-to" / "toy_generator.py"
SWAP = {"name": "swap", "max_parent_energy_above_hull": 0.5}
COMPOSITION = {"name": "composition", "formulas": 300, "compositions": 10, "random_structures": 0}


@pytest.fixture(scope="module")
def campaign(tmp_path_factory) -> Campaign:
    """One round with the toy and `composition` beside the generator of substitutions: a file, two sections."""
    campaign = make_campaign(tmp_path_factory.mktemp("toy") / "campaign", rounds=1)
    shutil.copyfile(TOY, campaign.folder / "pipeline" / "lodestone" / "discovery" / "generators" / "toy.py")
    campaign.edit(_with_both)
    outcome = campaign.discover()
    assert outcome.code == 0, outcome.out + outcome.err
    return campaign


def _with_both(params):
    others = [section for section in params["discovery"]["generators"] if section["name"] != "composition"]
    params["discovery"]["generators"] = [*others, SWAP, COMPOSITION]


def test_a_generator_in_one_file_proposes_and_is_reported(campaign):
    round_0 = campaign.folder / "data" / "rounds" / "round_0"
    candidates = read_table(round_0 / "candidates.parquet", Candidates)
    swapped = candidates.filter(pl.col("generator") == "swap")
    assert 0 < len(swapped) < len(candidates)
    assert all(set(json.loads(told)) == {"parent", "swapped"} for told in swapped["provenance"])
    known = read_table(round_0 / "crystals.parquet", Crystals)
    assert not swapped["decorated_prototype"].is_in(known["decorated_prototype"].implode()).any()
    verified = read_table(round_0 / "verifications.parquet", Verifications)
    page = (campaign.folder / "reports" / "campaign.html").read_text()
    refused = verified.filter(~pl.col("is_new"))
    assert all(json.loads(told)["parent"] in page for told in refused["provenance"])


def test_formulas_are_judged_by_the_composition_view_and_get_structures(campaign):
    round_0 = campaign.folder / "data" / "rounds" / "round_0"
    candidates = read_table(round_0 / "candidates.parquet", Candidates)
    made = candidates.filter(pl.col("generator") == "composition")
    known = read_table(round_0 / "crystals.parquet", Crystals)
    assert 0 < made["formula_pretty"].n_unique() <= COMPOSITION["compositions"]
    assert not made["formula_pretty"].is_in(known["formula_pretty"].implode()).any()


def test_a_round_that_ends_empty_is_reported(campaign):
    """As where all is found: nothing is predicted near the hull."""
    campaign.edit(lambda params: params["discovery"].update(threshold=-9.0))
    campaign.edit(lambda params: params["rounds"]["round_0"].update(random_baseline=0))
    outcome = campaign.discover()
    assert outcome.code == 0, outcome.out + outcome.err
    assert outcome.ran == ["active_learning@round_0", "opinions", "phonons", "report", "publish"]
    rounds = campaign.folder / "data" / "rounds"
    before, after = (read_table(rounds / name / "crystals.parquet", Crystals) for name in ("round_0", "round_1"))
    assert after.equals(before)
    assert read_table(rounds / "round_0" / "verifications.parquet", Verifications).is_empty()
    metrics = read_json(campaign.folder / "metrics" / "campaign.json")
    assert (metrics["n_verified"], metrics["n_discoveries"]) == (0, 0)
    assert metrics["hit_rate"]["round_0"]["model"]["n"] == 0
    assert "No predicted crystals below the hull" in (campaign.folder / "reports" / "campaign.html").read_text()
