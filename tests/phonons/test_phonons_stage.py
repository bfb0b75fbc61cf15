"""The stage `phonons`, and what the report, the table of discoveries and the hand-over say of its verdicts."""

import json
import re
import runpy

import polars as pl
import pytest
import yaml
from copper import SECTION

from finished_campaign import ROOT
from lodestone.cli.main import main
from lodestone.config.load import load_params
from lodestone.ensemble.metrics import wilson_proportion
from lodestone.handover.campaign import read_finished
from lodestone.report.collect import collect
from lodestone.report.discoveries import discoveries
from lodestone.report.finds import find_panels, one_per_formula
from lodestone.report.page import render
from lodestone.report.summary import campaign_summary
from lodestone.schemas import Discoveries
from lodestone.tables.files import validated
from lodestone.tables.layout import METRICS, Layout

pytest.importorskip("phonopy")
EMT = SECTION | {"one_process": True}


def look(folder, most, disputed=()):
    """Run the stage after further oracles have disputed some discoveries."""
    content = yaml.safe_load((folder / "params.yaml").read_text())
    content["phonons"] = {"most": most}
    content["oracle"] = EMT | {"max_seconds": 60}
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    names = discoveries(read(folder))["material_id"]
    finds = [{"material_id": n, "n_verdicts": 2, "disputed_by": ["x"] if n in disputed else []} for n in names]
    agreed = wilson_proportion(len(names) - len(disputed), len(names))
    told = {"oracles": {"x": {"functional": "PBE"}}, "finds": [one | {"opinions": {}} for one in finds]}
    told |= {"near": 0.0, "n_crystals": 0, "all_agree": agreed, "survive": {"x": agreed}, "functionals": {}}
    (folder / "data" / "opinions.json").write_text(json.dumps(told))
    runpy.run_path(str(ROOT / "stages" / "phonons.py"))["main"]()
    return json.loads((folder / "data" / "phonons.json").read_text())


def read(folder):
    return collect(load_params(folder / "params.yaml"), Layout(), METRICS)


@pytest.fixture
def looked(folder, computed):
    table = discoveries(read(folder)).sort("nsites", "material_id")
    return look(folder, most=6, disputed=table["material_id"][:2].to_list())


def test_the_smallest_of_the_undisputed_are_looked_at(looked, folder, computed):
    table = discoveries(read(folder))
    undisputed = table.filter(pl.col("disputed_by") == "").sort("nsites", "material_id")
    assert [row["material_id"] for row in looked["finds"]] == undisputed["material_id"].to_list()[:6]
    assert len(undisputed) == len(table) - 2
    assert len(computed) == 6


def test_a_second_run_has_the_same_bytes_and_computes_nothing(looked, folder, computed):
    before = (folder / "data" / "phonons.json").read_bytes()
    runpy.run_path(str(ROOT / "stages" / "phonons.py"))["main"]()
    assert (folder / "data" / "phonons.json").read_bytes() == before
    assert b"seconds" not in before.replace(b"max_seconds", b"")
    assert len(computed) == 6


def test_the_table_says_what_became_of_each(looked, folder):
    table = validated(discoveries(read(folder)), Discoveries, folder / "discoveries.parquet")
    words = dict(table.select("material_id", "dynamical_stability").iter_rows())
    said = {True: "stable", False: "unstable", None: "undecided"}
    for row in looked["finds"]:
        assert words.pop(row["material_id"]) == (said[row["is_stable"]] if row["is_computed"] else "not computed")
    assert set(words.values()) == {None}
    assert set(table["dynamical_stability"].drop_nulls()) == {"stable", "unstable", "undecided", "not computed"}


def test_the_report_counts_them_and_tells_each(looked, folder):
    campaign = read(folder)
    table = discoveries(campaign)
    assert campaign_summary(campaign, table)["phonons"]["stable"] == looked["stable"]
    page = render(campaign, table)
    share = looked["stable"]
    assert f"{share['hits']} of {share['n']} stable" in page
    finds = one_per_formula(table, campaign.verifications)
    panels = find_panels(campaign, finds)
    facts = {name: dict(panel["facts"]).get(f"Phonons ({looked['oracle']['name']})") for name, panel in panels.items()}
    told = {row["material_id"]: facts[row["material_id"]] for row in looked["finds"] if row["material_id"] in facts}
    assert None not in told.values()
    assert any(re.fullmatch(r"stable; lowest frequency 0\.7 THz", text) for text in told.values())
    assert any("leads 12.3 meV/atom down" in text for text in told.values())
    words = dict(table.select("material_id", "dynamical_stability").iter_rows())
    assert all(text.startswith(words[name]) for name, text in told.items())
    assert sum(text is not None for text in facts.values()) == len(told)


def test_a_hand_over_reads_them(looked, folder):
    assert read_finished(folder).phonons == looked
    assert read_finished(folder, judged=False).phonons is None


def test_where_nobody_looks_nothing_is_said(folder, computed):
    assert look(folder, most=0) == {"finds": []}
    campaign = read(folder)
    table = discoveries(campaign)
    assert computed == []
    assert campaign_summary(campaign, table)["phonons"] is None
    assert table["dynamical_stability"].null_count() == len(table)
    assert "Dynamical stability" not in render(campaign, table)


def test_where_all_are_disputed_nobody_looks(folder, computed):
    assert look(folder, most=6, disputed=discoveries(read(folder))["material_id"].to_list()) == {"finds": []}
    assert computed == []


def test_an_oracle_without_forces_is_told_before_anything_runs(folder, capsys):
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["oracle"] = {"name": "external", "label_method": "dft-pbe", "correction_scheme": "none"}
    content["label"] = {"scale": "source"}
    content["opinions"], content["phonons"] = {"oracles": []}, {"most": 3}
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(SystemExit) as ended:
        main(["check"])
    assert ended.value.code == 1
    assert "external gives no forces" in capsys.readouterr().err
