"""The page: complete, self-contained, the same bytes every time, and sensible where there is nothing to show."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import yaml

from lodestone.report import markup, rows
from lodestone.report.collect import CampaignData, collect
from lodestone.report.discoveries import cif_name, discoveries
from lodestone.report.element_classes import class_rows
from lodestone.report.finds import one_per_formula
from lodestone.report.generators import contributions
from lodestone.report.html import script
from lodestone.report.page import render
from lodestone.report.uncertainty_figures import coverage, stability
from lodestone.snapshot.sources.optimade import OptimadeParams

from .synthetic import write_campaign

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def page(campaign: CampaignData, found: pl.DataFrame) -> str:
    return render(campaign, found)


def _own(page: str) -> str:
    """The page without the libraries that it carries."""
    for name in ("plotly-cartesian.min.js", "3Dmol-min.js"):
        assert page.count(script(name)) == 1
        page = page.replace(script(name), "")
    return page


def test_nothing_is_fetched_from_anywhere(page: str) -> None:
    own = _own(page)
    assert re.findall(r"(?:src|href)\s*=\s*[\"']?\s*(?:https?:)?//", own) == []
    assert "@import" not in own
    assert "url(" not in own
    assert "<script src" not in own


def test_each_composition_is_a_row_that_opens_its_find(page: str, campaign: CampaignData, found: pl.DataFrame) -> None:
    table = re.search(r'<table class="sortable" id="discovery-table".*?</table>', page, re.DOTALL)
    assert table is not None
    finds = one_per_formula(found, campaign.verifications)
    assert re.findall(r'href="#find=(.+?)"', table[0]) == finds["material_id"].to_list()
    assert "<sub>2</sub>" in table[0]


def test_finds_beyond_those_with_a_panel_link_to_their_cif(campaign: CampaignData, found: pl.DataFrame) -> None:
    finds = one_per_formula(found, campaign.verifications)
    first, *others = rows.discovery_rows(finds, {finds["material_id"][0]})
    assert first["has_panel"]
    assert not any(row["has_panel"] for row in others)
    assert [row["cif"] for row in others] == [cif_name(row) for row in finds[1:].iter_rows(named=True)]


def test_novelty_and_likely_disorder_are_shown_and_counted(campaign: CampaignData, found: pl.DataFrame) -> None:
    flags = [("Mg/Ni", "(Mg,Ni)O AB_cF8_225_4:m-3m_4:m-3m")] * 2 + [(None, None)] * (len(found) - 2)
    names = {"likely_disorder": pl.String, "disorder_family": pl.String}
    flagged = found.drop(*names).hstack(pl.DataFrame(flags, schema=names, orient="row"))
    own = _own(render(campaign, flagged))
    table = re.search(r'<table class="sortable" id="discovery-table".*?</table>', own, re.DOTALL)
    assert table is not None
    listed = one_per_formula(flagged, campaign.verifications)
    assert table[0].count("likely disordered: Mg/Ni") == listed["likely_disorder"].count() > 0
    assert table[0].count("<td>composition") + table[0].count(">polymorph") == len(listed)
    assert f"<b>2 of {len(found)} are likely disordered when made</b>" in own
    assert f"{len(found) - 1} families" in own
    for word, n in found["novelty"].value_counts().iter_rows():
        assert f"{n} {'is' if n == 1 else 'are'} of the class “{word}”" in own


def test_what_generators_have_contributed_adds_up(page: str, campaign: CampaignData, found: pl.DataFrame) -> None:
    parts = contributions(campaign, found)
    assert sum(part["screened"] for part in parts.values()) == sum(len(data.candidates) for data in campaign.rounds)
    assert sum(part["verified"] for part in parts.values()) == len(campaign.verifications)
    for who in ("model", "random"):
        rates = [data.hit_rate[who] for data in campaign.rounds]
        assert sum(part["hits"][who]["hits"] for part in parts.values()) == sum(rate.hits for rate in rates)
        assert sum(part["hits"][who]["n"] for part in parts.values()) == sum(rate.n for rate in rates)
    assert sum(part["discoveries"] for part in parts.values()) == len(found)
    assert sum(part["new_prototypes"] for part in parts.values()) == (found["novelty"] == "new prototype").sum()
    table = re.search(r'<table id="generator-table">.*?</table>', page, re.DOTALL)
    assert table is not None
    assert re.findall(r'<td class="name">(.*?)</td>', table[0]) == list(parts)


def test_a_generator_without_a_verified_candidate_has_no_rates(campaign: CampaignData, found: pl.DataFrame) -> None:
    first = campaign.rounds[0]
    idle = first.candidates.head(2).with_columns(generator=pl.lit("idle"))
    more = replace(first, candidates=pl.concat([first.candidates, idle]))
    part = contributions(replace(campaign, rounds=(more, *campaign.rounds[1:])), found)["idle"]
    nothing = {"hits": 0, "n": 0, "rate": None, "low": None, "high": None}
    assert part == {
        "screened": 2, "verified": 0, "hits": {"model": nothing, "random": nothing},
        "discoveries": 0, "new_prototypes": 0, "depth": None,
    }  # fmt: skip


def test_properties_of_elements_are_counted_and_price_classes_add_up(page: str, campaign: CampaignData) -> None:
    counted = class_rows(campaign)
    priced = [row for row in counted if "price" in row["label"] or "USD" in row["label"]]
    assert sum(row["tried"] for row in priced) == len(campaign.verifications)
    assert sum(row["found"] for row in priced) == campaign.verifications["is_stable"].sum()
    by_label = {row["label"]: row for row in counted}
    scarce = campaign.verifications.filter(pl.col("chemsys").str.split("-").list.contains("Se"))
    dear = by_label["dearest element: 100 to 1,000 USD/kg"]
    assert dear["tried"] == len(scarce) > 0  # of the elements of this campaign, selenium alone costs so much
    assert dear["found"] == scarce["is_stable"].sum()
    assert by_label["toxic: As, Be, Cd, Hg, Pb, Tl"] == {
        "label": "toxic: As, Be, Cd, Hg, Pb, Tl", "tried": 0, "found": 0
    }  # fmt: skip
    table = re.search(r'<table id="element-classes">.*?</table>', page, re.DOTALL)
    assert table is not None
    assert table[0].count("<tr>") == len(counted) + 1


def test_finds_too_deep_below_the_hull_stand_in_a_table_of_their_own(
    page: str, campaign: CampaignData, found: pl.DataFrame
) -> None:
    table = re.search(r'<table class="sortable" id="incomplete-table".*?</table>', page, re.DOTALL)
    assert table is not None
    deep = campaign.verifications.filter("hull_is_incomplete")
    assert sorted(re.findall(r'title="(.+?)"', table[0])) == sorted(deep["material_id"])
    assert f"{len(deep)} more lie so deep below it, by over 700 meV/atom" in page
    depth = 1e3 * (-found["energy_above_hull_start"]).median()
    assert re.search(rf'<dt>Median depth below the hull</dt><dd class="figure">{depth:.0f} ', page)


def test_every_figure_has_a_place_and_a_fixed_name(page: str) -> None:
    names = re.findall(r'<div id="plot-([^"]+)" class="plotly-graph-div"', _own(page))
    assert len(names) == len(set(names)) == 12
    assert {
        "hit-rate",
        "errors",
        "parity-0",
        "parity-1",
        "parity-2",
        "verified",
        "verified-hull",
        "coverage",
        "stability",
    } < set(names)


def test_the_caveat_of_the_oracle_is_printed(page: str) -> None:
    assert "comes from one oracle, chgnet-0.3.0, so that all lie on one scale. Energies are &lt;made up&gt;." in page


def test_text_from_the_artifacts_is_escaped(campaign: CampaignData, found: pl.DataFrame) -> None:
    own = _own(render(replace(campaign, provenance={"query": "<script>alert(1)</script>"}), found))
    assert "alert(1)&lt;/script&gt;" in own
    assert "cell &lt;too&gt; flat" in own
    assert "<too>" not in own


def test_passwords_in_the_settings_are_not_shown(campaign: CampaignData, found: pl.DataFrame) -> None:
    snapshot = OptimadeParams(source="optimade", provider="https://me:secret@host/v1")
    params = campaign.params.model_copy(update={"snapshot": snapshot})
    own = _own(render(replace(campaign, params=params), found))
    assert "https://host/v1" in own
    assert "secret" not in own


@pytest.mark.slow
def test_stage_writes_the_same_bytes_whatever_the_hash_seed(tmp_path: Path) -> None:
    written = []
    params, _, _ = write_campaign(tmp_path / "1", rounds=2)
    (tmp_path / "1" / "params.yaml").write_text(yaml.safe_dump(params.model_dump(mode="json", by_alias=True)))
    shutil.copytree(tmp_path / "1", tmp_path / "2")
    for seed in ("1", "2"):
        folder = tmp_path / seed
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(REPOSITORY)}
        subprocess.run([sys.executable, REPOSITORY / "stages" / "report.py"], cwd=folder, env=environment, check=True)
        outputs = [*folder.glob("reports/**/*.*"), folder / "metrics/rounds.csv", folder / "metrics/campaign.json"]
        written.append({path.relative_to(folder): path.read_bytes() for path in outputs})
    assert written[0] == written[1]
    assert len(written[0]) > 10


@pytest.mark.parametrize("kind", ["none", "nothing"])
def test_a_campaign_without_discoveries_is_told_plainly(tmp_path: Path, kind: str) -> None:
    campaign = collect(*write_campaign(tmp_path, rounds=2, found=kind))
    found = discoveries(campaign)
    own = _own(render(campaign, found))
    assert found.is_empty()
    assert "No predicted crystals below the hull of" in own
    assert "No verified candidate was new and stable." in own
    assert "No new crystal lies more than 700 meV/atom below the hull" in own
    assert not re.search(r">\s*(None|nan)\b", own)
    assert ("no candidate was verified" in own) == (kind == "nothing")
    assert "no relaxation was accepted" in own


def test_coverage_is_told_for_all_crystals_and_by_reason(campaign: CampaignData) -> None:
    told = {row["name"]: row["counts"] for row in rows.uncertainty_rows(campaign.rounds[-1])}
    assert set(told) == {"validation", "test", "test, like the training crystals", "test, a chemical system never seen"}
    n = campaign.rounds[-1].test["ensemble"].n
    assert told["test"] == f"{n - 1} of {n}"


def test_predicted_hit_rates_stand_beside_the_true_ones(page: str) -> None:
    assert _own(page).count('<td class="number">42%</td>') == 3
    assert _own(page).count('<td class="number">11%</td>') == 3


def test_figures_of_uncertainty_without_anything_measured() -> None:
    empty = {"observed": [], "expected": [], "bins": []}
    for draw in (coverage, stability):
        assert "nothing was measured" in draw({"test": empty}).to_json()


def test_structures_that_could_not_be_made_are_told_where_there_are_any(
    page: str, campaign: CampaignData, found: pl.DataFrame
) -> None:
    assert "could not be made" not in page
    first, *others = campaign.rounds
    failed = replace(first, counts=first.counts | {"n_unbuilt": 1200, "n_out_of_time": 3})
    told = "1,203 structures could not be made: 1,200 ended with an error, 3 took too long."
    assert told in render(replace(campaign, rounds=[failed, *others]), found)


def test_funnel_narrows_to_the_discoveries(campaign: CampaignData) -> None:
    funnel = {row["label"]: [cell["n"] for cell in row["cells"]] for row in rows.funnel_rows(campaign)}
    assert funnel["Ideas of the generators"] == ["2,895"] * 3
    assert funnel["New: not known, tried or drawn before"] == ["2,745"] * 3
    assert funnel["In the chemistry of the snapshot, not too large"] == ["2,740"] * 3
    assert funnel["Of elements that the campaign may use"] == ["2,700"] * 3
    assert funnel["Charge balanced, or without anions (rule: common)"] == ["2,000"] * 3
    found = [str(data.verifications["is_stable"].sum()) for data in campaign.rounds]
    deep = [
        str(data.verifications.select(pl.col("is_stable") | pl.col("hull_is_incomplete")).sum().item())
        for data in campaign.rounds
    ]
    assert funnel["New, and on or below the hull"] == deep != found
    assert funnel["Not too deep below it: discoveries"] == found


def test_rejections_are_counted_by_reason_and_listed_one_by_one(campaign: CampaignData) -> None:
    counted = {row["label"]: row["cells"] for row in rows.rejection_rows(campaign)}
    assert counted["calculation failed"] == [1, 1, 1]
    assert counted["cell exploded"] == [1, 1, 1]
    assert rows.RELAXED_INTO_KNOWN in counted
    rejected = campaign.verifications.filter((pl.col("status") != "ok") | ~pl.col("is_new")).height
    assert sum(map(sum, counted.values())) == len(rows.rejected_candidates(campaign)) == rejected


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (markup.formula("Ca3(PO4)2"), "Ca<sub>3</sub>(PO<sub>4</sub>)<sub>2</sub>"),
        (markup.decomposition("0.60 Na2O + 0.40 Na"), "0.60 Na<sub>2</sub>O + 0.40 Na"),
        (markup.spacegroup(225), 'Fm<span class="over">3</span>m'),
        (markup.spacegroup(14), "P2<sub>1</sub>/c"),
        (markup.prototype("AB2_cF12_225_4:m-3m_8:-43m"), "AB<sub>2</sub> cF12"),
        (markup.milli(-0.0001), "0"),
        (markup.milli(-0.0314), "−31"),
        (markup.interval(None, None), ""),
        (markup.reason("failed: ValueError: x"), "calculation failed"),
        (markup.reason("never_seen"), "never seen"),
    ],
)
def test_markup(made: str, expected: str) -> None:
    assert made == expected
