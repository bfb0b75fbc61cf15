"""The command: what it writes, what it replaces, and what it refuses."""

import json
import os
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import polars as pl
import pytest

from lodestone.cli.main import main
from lodestone.config.load import read_content
from lodestone.errors import LodestoneError
from lodestone.handover.campaign import read_finished
from lodestone.handover.finds import finds
from lodestone.handover.write import write_handover
from lodestone.tables.files import write_json


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


@pytest.fixture
def folder(finished_folder, tmp_path, monkeypatch):
    """A copy of the finished campaign, to be spoiled."""
    monkeypatch.delenv("LODESTONE_TRACEBACK", raising=False)
    shutil.copytree(finished_folder, tmp_path / "campaign")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "campaign"


@pytest.fixture
def few(finished):
    """Two of the discoveries."""
    return finished.only(finished.discoveries["material_id"].to_list()[:2])


def fault(capsys, *arguments):
    assert call("handover", *arguments) == 1
    said = capsys.readouterr().err
    assert said.count("error:") == 1
    assert "->" in said
    assert "Traceback" not in said
    return said


def contents(out):
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.targets = []

    def handle_starttag(self, tag, attrs):
        self.targets += [value for name, value in attrs if name in ("href", "src") and not value.startswith("data:")]


def test_the_command_writes_the_finds_that_it_is_asked_for_and_nothing_else(folder, capsys):
    table = pl.read_parquet(folder / "reports" / "discoveries.parquet")
    by_id, by_formula = table["material_id"][0], table["formula_pretty"][3]
    assert call("handover", "--campaign", folder, "--out", "over", "--only", by_id, by_formula) == 0
    assert "written: 2 finds; open over/index.html" in capsys.readouterr().out
    out = folder.parent / "over"
    index = json.loads((out / "index.json").read_text())
    assert {one["material_id"] for one in index["finds"]} == {by_id, table["material_id"][3]}
    assert sorted(index["files"]) == sorted(contents(out))
    assert sorted(path.name for path in folder.parent.iterdir()) == ["campaign", "over"]  # nothing is left beside it


def test_the_default_campaign_is_that_of_the_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    table = pl.read_parquet("reports/discoveries.parquet")
    assert call("handover", "--out", "over", "--only", table["material_id"][0]) == 0
    assert (folder / "over" / "index.html").is_file()


def test_every_link_of_every_page_leads_to_a_file_and_none_elsewhere(handed_over):
    pages = sorted(handed_over.rglob("*.html"))
    assert len(pages) > 5
    for page in pages:
        links = Links()
        links.feed(page.read_text())
        assert links.targets
        for target in links.targets:
            assert not re.match(r"[a-z]+:|//", target), f"{page}: {target}"
            assert (page.parent / target).is_file(), f"{page}: {target}"


def test_pages_say_that_these_are_predictions_and_escape_what_the_oracle_says(handed_over):
    for page in handed_over.rglob("*.html"):
        text = page.read_text()
        assert re.search("prediction", text)
        assert "Energies are &lt;made up&gt;." in text
        assert "<made up>" not in text


def test_a_hand_over_is_replaced_by_equal_bytes_and_by_others(few, tmp_path):
    out = tmp_path / "over"
    write_handover(few, out)
    first = contents(out)
    write_handover(few, out)
    assert contents(out) == first
    write_handover(few.only([few.discoveries["material_id"][1]]), out)
    assert json.loads((out / "index.json").read_text())["n_finds"] == 1
    assert len([path for path in out.iterdir() if path.is_dir()]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["over"]


def test_a_fault_on_the_way_leaves_the_hand_over_of_before(few, tmp_path, monkeypatch):
    out = tmp_path / "over"
    write_handover(few, out)
    before = contents(out)

    def broken(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lodestone.handover.write.lines", broken)
    with pytest.raises(LodestoneError, match="No space left on device"):
        write_handover(few, out)
    assert contents(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["over"]


def test_an_empty_folder_is_filled(few, tmp_path):
    (tmp_path / "over").mkdir()
    assert write_handover(few, tmp_path / "over") == 2


def test_a_folder_that_holds_something_else_stays_as_it_is(folder, few, capsys):
    one = few.discoveries["material_id"][0]
    strange = folder.parent / "strange"
    strange.mkdir()
    (strange / "thesis.tex").write_text("years of work")
    said = fault(capsys, "--campaign", folder, "--out", strange, "--only", one)
    assert "holds something else: thesis.tex" in said
    (folder.parent / "file").write_text("a file")
    assert "holds something else" in fault(capsys, "--campaign", folder, "--out", folder.parent / "file", "--only", one)
    assert (strange / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_hand_over_with_notes_in_it_is_not_replaced(few, tmp_path, kind):
    out = tmp_path / "over"
    write_handover(few, out)
    note = out / json.loads((out / "index.json").read_text())["finds"][0]["folder"] / "note.txt"
    if kind == "file":
        note.write_text("synthesized on Monday")
    else:
        note.symlink_to(tmp_path)
    with pytest.raises(LodestoneError, match=r"note\.txt"):
        write_handover(few, out)
    assert os.path.lexists(note)


def test_a_table_of_contents_cannot_name_files_elsewhere(few, tmp_path):
    """They would be deleted when the folder is replaced."""
    out, precious = tmp_path / "over", tmp_path / "precious.txt"
    write_handover(few, out)
    precious.write_text("mine")
    index = json.loads((out / "index.json").read_text())
    write_json(index | {"files": [*index["files"], "../precious.txt"]}, out / "index.json")
    write_handover(few, out)
    assert precious.read_text() == "mine"


def test_an_unknown_find_is_named_with_what_was_meant(folder, capsys):
    known = pl.read_parquet(folder / "reports" / "discoveries.parquet")["material_id"][0]
    said = fault(capsys, "--campaign", folder, "--out", "over", "--only", known + "x")
    assert f"did you mean {known}?" in said
    assert "'unobtainium'" in fault(capsys, "--campaign", folder, "--out", "over", "--only", known, "unobtainium")
    assert not (folder.parent / "over").exists()


def test_without_a_campaign_there_is_nothing_to_hand_over(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("LODESTONE_TRACEBACK", raising=False)
    monkeypatch.chdir(tmp_path)
    assert "holds no campaign: it has no params.yaml" in fault(capsys, "--out", "over")
    assert "elsewhere holds no campaign" in fault(capsys, "--campaign", "elsewhere", "--out", "over")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "missing",
    [
        "reports/discoveries.parquet",
        "data/rounds/round_1/crystals.parquet",
        "data/rounds/round_0/verifications.parquet",
    ],
)
def test_an_unfinished_campaign_is_refused(folder, capsys, missing):
    (folder / missing).unlink()
    said = fault(capsys, "--campaign", folder, "--out", "over")
    assert f"is not finished: it has no {missing}" in said
    assert "lodestone discover" in said


def test_a_round_that_was_added_and_not_run_is_refused(folder, capsys):
    import yaml

    content = read_content(folder / "params.yaml")
    content["rounds"]["round_1"] = {"next": "round_2", "budget": 16, "random_baseline": 4}
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    assert "it has no data/rounds/round_1/verifications.parquet" in fault(capsys, "--campaign", folder, "--out", "over")


def test_a_report_of_another_state_is_refused(folder, capsys):
    path = folder / "reports" / "discoveries.parquet"
    table = pl.read_parquet(path)
    table[1:].write_parquet(path)
    said = fault(capsys, "--campaign", folder, "--out", "over")
    assert f"discovery '{table['material_id'][0]}' is in some tables" in said
    table.with_columns(material_id=pl.lit("lost-") + pl.col("material_id")).write_parquet(path)
    assert "of different states" in fault(capsys, "--campaign", folder, "--out", "over")


def test_a_campaign_without_discoveries_is_refused(folder, capsys):
    for path in [folder / "reports" / "discoveries.parquet"]:
        pl.read_parquet(path).clear().write_parquet(path)
    for path in folder.glob("data/rounds/*/verifications.parquet"):
        pl.read_parquet(path).clear().write_parquet(path)
    assert "nothing to hand over" in fault(capsys, "--campaign", folder, "--out", "over")


def test_what_is_no_audit_is_refused(folder, capsys):
    write_json({"something": "else"}, folder / "reports" / "audit.json")
    said = fault(capsys, "--campaign", folder, "--out", "over")
    assert "audit.json was not written by `lodestone audit`" in said


def test_an_audit_judges_and_what_it_disputes_comes_last(folder):
    table = pl.read_parquet(folder / "reports" / "discoveries.parquet")
    rows = [
        {
            "material_id": row["material_id"],
            "formula_pretty": row["formula_pretty"],
            "survives": number > 0,
            "energy_above_hull": 0.0 if number else 0.03,
            "falls_to": [] if number else [{"material_id": "mp-1", "formula_pretty": "NaCl", "source": "table"}],
            "formula_is_known": number == 0,
            "known_as": None,
        }
        for number, row in enumerate(table[:-1].iter_rows(named=True))
    ]
    audit = {"discoveries": rows, "oracle": {"name": "static"}, "against": {"file": "table.parquet"}}
    write_json(audit, folder / "reports" / "audit.json")
    by_id = {find.material_id: find for find in finds(read_finished(folder))}
    disputed, agreed, unaudited = (by_id[table["material_id"][place]] for place in (0, 1, -1))
    assert "audit" in disputed.disagreeing
    assert "audit" not in agreed.disagreeing
    assert [verdict["judge"] for verdict in agreed.verdicts] == ["ensemble", "oracle", "audit"]
    assert agreed.verdicts[-1]["name"] == "static with the phases of table.parquet"
    assert [verdict["judge"] for verdict in unaudited.verdicts] == ["ensemble", "oracle"]
    numbers = [len(find.disagreeing) for find in by_id.values()]
    assert numbers == sorted(numbers)


def test_judges_say_what_the_tables_say(finished):
    verified = {row["material_id"]: row for row in finished.verifications.iter_rows(named=True)}
    depths = []
    for find in finds(finished):
        ensemble, oracle = find.verdicts
        row = verified[find.material_id]
        assert ensemble["stability_probability"] == row["stability_probability"]
        assert ensemble["interval_90_ev_per_atom"] == [
            row["formation_energy_per_atom_lower"], row["formation_energy_per_atom_upper"]
        ]  # fmt: skip
        assert ensemble["out_of_distribution"] == ["system", "latent"]
        assert oracle["says_stable"] == (find.row["energy_above_hull"] <= 1e-8)
        depths.append((len(find.disagreeing), -find.row["energy_above_hull_start"]))
    assert depths == sorted(depths)  # undisputed ones first, then the shallow ones


def test_hazards_are_those_of_the_element_policy(finished):
    find = next(finds(finished))
    toxic = find.__class__(**(vars(find) | {"row": dict(find.row) | {"chemsys": "Cd-F-U"}}))
    assert toxic.hazards == {"toxic_elements": ["Cd"], "radioactive_elements": ["U"]}


def test_the_contents_say_what_is_new_and_what_is_likely_disordered(few, tmp_path):
    rows = few.discoveries.with_columns(
        likely_disorder=pl.Series(["Mg/Ni", None]), disorder_family=pl.Series(["(Mg,Ni)O AB_cF8_225", None])
    )
    write_handover(replace(few, discoveries=rows), tmp_path / "out")
    index = {one["material_id"]: one for one in json.loads((tmp_path / "out" / "index.json").read_text())["finds"]}
    columns = ["novelty", "known_as", "likely_disorder", "disorder_family"]
    for row in rows.iter_rows(named=True):
        assert {name: index[row["material_id"]][name] for name in columns} == {name: row[name] for name in columns}
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.count("likely disordered: Mg/Ni") == 1
    pages = [(tmp_path / "out" / one["folder"] / "index.html").read_text() for one in index.values()]
    assert sum("Likely disordered when made: Mg/Ni" in text and "as in (Mg,Ni)O;" in text for text in pages) == 1
