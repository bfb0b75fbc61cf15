"""The stage `opinions`, and what the report, the table of discoveries and the hand-over say of its verdicts."""

import json
import re
import runpy
import shutil

import polars as pl
import pytest
import yaml
from toy_judges import NAME

from finished_campaign import ROOT, enter_copy
from lodestone.errors import LodestoneError
from lodestone.handover.campaign import read_finished
from lodestone.opinions import judges
from lodestone.report.collect import collect
from lodestone.report.discoveries import discoveries
from lodestone.report.finds import find_panels, one_per_formula
from lodestone.report.page import render
from lodestone.report.summary import campaign_summary, headline
from lodestone.schemas import Discoveries
from lodestone.tables.files import validated
from lodestone.tables.layout import METRICS, Layout

KIND, STRICT = "toy-kind", "toy-strict"  # one puts finds 1 meV/atom higher, the other 40


@pytest.fixture
def folder(finished_folder, tmp_path, monkeypatch):
    """A copy of the finished campaign, in which a run of the stage asks two oracles."""
    toys = {name: {"name": NAME, "shift": shift} for name, shift in ((KIND, 0.001), (STRICT, 0.04))}
    monkeypatch.setattr(judges, "_VARIANTS", {**judges._VARIANTS, **toys})
    return enter_copy(finished_folder, tmp_path, monkeypatch)


def ask(folder, oracles):
    content = yaml.safe_load((folder / "params.yaml").read_text())
    content["opinions"] = {"oracles": oracles, "near": 0.05}
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    runpy.run_path(str(ROOT / "stages" / "opinions.py"))["main"]()
    return json.loads((folder / "data" / "opinions.json").read_text())


@pytest.fixture
def asked(folder):
    return ask(folder, [KIND, STRICT])


@pytest.fixture
def campaign(asked, folder):
    return collect(read_params(folder), Layout(), METRICS)


def read_params(folder):
    from lodestone.config.load import load_params

    return load_params(folder / "params.yaml")


def test_the_table_says_who_disputes_each_find(asked, campaign, folder):
    table = validated(discoveries(campaign), Discoveries, folder / "discoveries.parquet")
    told = {row["material_id"]: row for row in asked["finds"]}
    assert set(table["n_verdicts"]) == {3}
    for name, disputed in table.select("material_id", "disputed_by").iter_rows():
        assert disputed == ", ".join(told[name]["disputed_by"])
    assert 0 < (table["disputed_by"] == "").sum() < len(table), (
        "some are disputed and some are not, else nothing is shown"
    )


def test_the_summary_counts_those_on_which_all_agree(asked, campaign):
    table = discoveries(campaign)
    summary, short = campaign_summary(campaign, table), headline(campaign, table)
    assert summary["opinions"]["all_agree"] == asked["all_agree"]
    assert summary["opinions"]["survive"].keys() == {"toy+0.001", "toy+0.04"}
    assert short["agreed"] == asked["all_agree"]["hits"] == (table["disputed_by"] == "").sum()


def test_the_least_disputed_finds_come_first_and_none_is_shown_without_its_disputes(asked, campaign):
    table = discoveries(campaign)
    finds = one_per_formula(table, campaign.verifications)
    on_hull = finds.filter(pl.col("energy_above_hull") <= 1e-8)["disputed_by"].str.count_matches("toy").to_list()
    assert on_hull == sorted(on_hull)
    page = render(campaign, table)
    share = asked["all_agree"]
    assert f"all judges agree on {share['hits']} of {share['n']}" in page
    for name, disputed in finds.select("material_id", "disputed_by").iter_rows():
        row = re.search(
            rf"<tr [^>]*>(?:(?!</tr>).)*find={re.escape(name)}(?:(?!</tr>).)*</tr>", page, re.DOTALL
        ).group()
        assert (f'title="disputed by {disputed}"' in row) == bool(disputed)
        assert f">{3 - len(disputed.split(', ') if disputed else [])} of 3<" in row


def test_the_panel_of_a_find_has_a_line_for_each_judge(asked, campaign):
    finds = one_per_formula(discoveries(campaign), campaign.verifications)
    panels = find_panels(campaign, finds)
    for row in asked["finds"]:
        if row["material_id"] in panels:
            facts = dict(panels[row["material_id"]]["facts"])
            distance = 1e3 * row["opinions"]["toy+0.04"]["energy_above_hull"]
            assert f"{distance:.0f}".replace("-", "−") in facts["toy+0.04 (r2SCAN)"]
            assert ("disputes it" in facts["toy+0.04 (r2SCAN)"]) == ("toy+0.04" in row["disputed_by"])


def test_a_hand_over_reads_them(asked, folder):
    shutil.rmtree(folder / "reports" / "opinions.json", ignore_errors=True)
    assert read_finished(folder).opinions == asked
    assert read_finished(folder, judged=False).opinions is None


def test_where_nobody_is_asked_nothing_is_said_of_judges(folder):
    content = ask(folder, [])
    assert content["oracles"] == {}
    campaign = collect(read_params(folder), Layout(), METRICS)
    table = discoveries(campaign)
    assert table["disputed_by"].is_null().all()
    assert table["n_verdicts"].is_null().all()
    assert headline(campaign, table)["agreed"] is None
    page = render(campaign, table)
    assert "further oracle" not in page
    assert "say stable" not in page
    assert read_finished(folder).opinions is None


@pytest.mark.parametrize(
    ("oracles", "told"),
    [
        (["nobody"], "there is no oracle 'nobody'"),
        ([KIND, KIND], "stands twice"),
        (["absent-of-the-opinions"], "a-package-that-nobody-has"),
        (["chgnet-0.3.0"], "own oracle"),
    ],
)
def test_who_cannot_be_asked_is_told(oracles, told, folder):
    with pytest.raises(LodestoneError, match=told):
        ask(folder, oracles)
    assert not (folder / "data" / "opinions.json").exists()
