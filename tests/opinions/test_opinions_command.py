"""The command: what it writes, that it resumes, what it refuses, and who reads its file."""

import json

import polars as pl
import pytest
import yaml
from toy_judges import LABELLED, NAME

from finished_campaign import enter_copy
from lodestone.cli.main import main
from lodestone.handover.campaign import read_finished
from lodestone.handover.finds import finds
from lodestone.handover.pages import contents_page, find_page
from lodestone.opinions.judges import DEFAULT, chosen
from lodestone.oracles.base import Oracle

OUT = "reports/opinions.json"


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


def fault(capsys, *arguments):
    assert call("opinions", *arguments) == 1
    said = capsys.readouterr().err
    assert said.count("error:") == 1
    assert "->" in said
    assert "Traceback" not in said
    return said


@pytest.fixture
def folder(finished_folder, tmp_path, monkeypatch):
    """A copy of the finished campaign, in which the command is run."""
    return enter_copy(finished_folder, tmp_path, monkeypatch)


def section(path, **settings):
    path.write_text(yaml.safe_dump({"oracle": {"name": NAME, **settings}}))
    return path.name


def test_names_and_files_say_who_judges_and_nothing_is_labelled_twice(folder, capsys):
    other = section(folder / "other.yaml", shift=0.03)
    assert call("opinions", "--oracles", NAME, other) == 0
    said = capsys.readouterr()
    assert "all agree" in said.out
    assert f"written: {OUT}" in said.out
    content = json.loads((folder / OUT).read_text())
    assert list(content["oracles"]) == ["toy+0", "toy+0.03"]
    assert content["n_finds"] == pl.read_parquet("reports/discoveries.parquet").height
    before = len(LABELLED)
    assert before == len(set(LABELLED)) == 2 * content["n_crystals"]
    assert call("opinions", "--oracles", NAME, other, "--out", "elsewhere/mine.json") == 0
    assert len(LABELLED) == before
    assert (folder / "elsewhere" / "mine.json").read_bytes() == (folder / OUT).read_bytes()


def test_an_interrupted_run_goes_on_where_it_stopped(folder, monkeypatch):
    toy = type(chosen([NAME], "nobody")[0].oracle)
    whole = toy.label

    def cut(self, crystals):
        for number, item in enumerate(whole(self, crystals)):
            if number == 7:
                raise KeyboardInterrupt
            yield item

    monkeypatch.setattr(toy, "label", cut)
    assert call("opinions", "--oracles", NAME) != 0
    assert not (folder / OUT).exists()
    first = {digest for _, digest in LABELLED[:7]}
    LABELLED.clear()
    monkeypatch.setattr(toy, "label", whole)
    assert call("opinions", "--oracles", NAME) == 0
    assert not first & {digest for _, digest in LABELLED}


def test_some_finds_are_fewer_crystals(folder):
    table = pl.read_parquet("reports/discoveries.parquet")
    assert call("opinions", "--oracles", NAME) == 0
    whole = json.loads((folder / OUT).read_text())
    names = [table["material_id"][0], table["formula_pretty"][2]]
    assert call("opinions", "--oracles", NAME, "--finds", *names) == 0
    few = json.loads((folder / OUT).read_text())
    assert [row["material_id"] for row in few["finds"]] == [table["material_id"][0], table["material_id"][2]]
    assert few["finds"] == [whole["finds"][0], whole["finds"][2]]
    assert few["n_crystals"] < whole["n_crystals"]
    assert call("opinions", "--oracles", NAME, "--near", "10") == 0
    wide = json.loads((folder / OUT).read_text())
    assert wide["n_crystals"] >= whole["n_crystals"]
    assert (whole["near"], wide["near"]) == (0.05, 10.0)


def test_few_phases_give_the_same_distance_where_the_oracle_agrees_with_the_campaign(folder, capsys):
    assert call("opinions", "--oracles", NAME) == 0
    whole = json.loads((folder / OUT).read_text())
    capsys.readouterr()
    assert call("opinions", "--oracles", NAME, "--few") == 0
    assert "against what they decompose into" in capsys.readouterr().out
    few = json.loads((folder / OUT).read_text())
    assert (whole["few"], few["few"]) == (False, True)
    assert few["n_crystals"] < whole["n_crystals"]
    for one, other in zip(few["finds"], whole["finds"], strict=True):
        distances = [row["opinions"]["toy+0"]["energy_above_hull"] for row in (one, other)]
        assert distances[0] == pytest.approx(distances[1], abs=1e-9)


def test_the_default_is_one_stronger_potential_for_pbe_and_three_for_r2scan():
    pytest.importorskip("sevenn")
    pytest.importorskip("diep")
    judges = chosen(None, "chgnet-0.3.0")
    assert [(judge.name, judge.functional) for judge in judges] == [
        ("sevennet-l3i5-pbe", "PBE"),
        ("chgnet-r2scan", "r2SCAN"),
        ("sevennet-mf-0-r2scan", "r2SCAN"),
        ("diep-r2scan", "r2SCAN"),
    ]
    assert all(judge.oracle.name == f"{judge.name}-static" for judge in judges)
    assert [judge.name for judge in chosen(None, "sevennet-l3i5-pbe")] == [judge.name for judge in judges[1:]]
    assert len(DEFAULT) == 4


def test_other_functionals_are_those_that_the_oracles_state():
    [chgnet] = chosen(["chgnet-0.3.0"], "nobody")
    assert (chgnet.name, chgnet.functional) == ("chgnet-0.3.0", "PBE")


def test_a_chain_gives_the_opinion_of_its_judge(folder):
    common = {"fmax": 0.1, "max_steps": 9, "max_volume_change": 2.0, "min_distance_ratio": 0.5}
    links = {"relax": {"name": "chgnet-0.3.0", "min_energy_per_atom": -15.0} | common}
    links["judge"] = {"name": "chgnet-r2scan"} | common
    (folder / "chain.yaml").write_text(yaml.safe_dump({"oracle": {"name": "chain"} | links}))
    [judge] = chosen(["chain.yaml"], "chgnet-0.3.0")
    assert (judge.name, judge.functional) == ("chgnet-r2scan", "r2SCAN")


def test_the_campaigns_own_oracle_is_no_second_opinion(folder, capsys):
    said = fault(capsys, "--oracles", "chgnet-0.3.0")
    assert "chgnet-0.3.0 is the campaign's own oracle" in said
    assert LABELLED == []


def test_an_oracle_that_stands_twice_is_refused(folder, capsys):
    assert "toy+0 stands twice" in fault(capsys, "--oracles", NAME, section(folder / "same.yaml"))


def test_an_unknown_oracle_is_named_with_what_was_meant(folder, capsys):
    said = fault(capsys, "--oracles", "sevenet")
    assert "there is no oracle 'sevenet'" in said
    assert "did you mean sevennet?" in said


def test_an_oracle_that_is_not_installed_says_so_before_anything_is_computed(folder, capsys):
    said = fault(capsys, "--oracles", NAME, "absent-of-the-opinions")
    assert "needs the package a-package-that-nobody-has, which is not installed" in said
    assert "pip install" in said
    assert LABELLED == []


def test_an_oracle_that_only_relaxes_is_refused(folder, capsys):
    said = fault(capsys, "--oracles", "relaxing-of-the-opinions")
    assert "cannot label crystals as they are" in said


def test_an_oracle_that_needs_settings_asks_for_a_file(folder, capsys):
    said = fault(capsys, "--oracles", "ase")
    assert "ase: " in said
    assert "calculator" in said
    assert "YAML file" in said


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("oracle: {name: [", "no YAML"),
        ("seed: 1\n", "is not one section `oracle`"),
        ("oracle: {name: toy-of-the-opinions}\nseed: 1\n", "is not one section `oracle`"),
        ("oracle: {name: toy-of-the-opinions, charm: 1}\n", "charm"),
        ("oracle: {name: nobody}\n", "there is no oracle 'nobody'"),
        ("oracle: {shift: 1}\n", "names no oracle"),
        ("oracle:\n", "names no oracle"),
    ],
)
def test_a_damaged_file_of_an_oracle_is_named(folder, capsys, content, expected):
    (folder / "mine.yaml").write_text(content)
    said = fault(capsys, "--oracles", "mine.yaml")
    assert "mine.yaml" in said
    assert expected in said


def test_a_missing_file_and_an_unknown_find_are_named(folder, capsys):
    assert "none.yaml cannot be read" in fault(capsys, "--oracles", "none.yaml")
    assert "'unobtainium'" in fault(capsys, "--oracles", NAME, "--finds", "unobtainium")


def test_without_a_campaign_or_a_discovery_there_is_nothing_to_judge(folder, capsys, monkeypatch):
    for path in [folder / "reports/discoveries.parquet", *folder.glob("data/rounds/*/verifications.parquet")]:
        pl.read_parquet(path).clear().write_parquet(path)
    assert "has no discovery" in fault(capsys, "--oracles", NAME)
    (folder / "reports/discoveries.parquet").unlink()
    assert "is not finished" in fault(capsys, "--oracles", NAME)
    monkeypatch.chdir(folder.parent)
    assert "holds no campaign" in fault(capsys, "--oracles", NAME)


def test_further_oracles_are_judges_of_the_hand_over(folder):
    assert call("opinions", "--oracles", NAME, section(folder / "strict.yaml", shift=9.0, refused=["Li"])) == 0
    campaign = read_finished(folder)
    rows = {row["material_id"]: row for row in campaign.opinions["finds"]}
    silent = 0
    for find in finds(campaign):
        said = {one["judge"]: one for one in find.verdicts}
        assert list(said) == ["ensemble", "oracle", "toy+0", "toy+9"]
        opinion = rows[find.material_id]["opinions"]
        assert said["toy+0"]["energy_above_hull_ev_per_atom"] == opinion["toy+0"]["energy_above_hull"]
        assert "r2SCAN" in said["toy+0"]["name"]
        is_silent = "Li" in find.elements
        silent += is_silent
        assert said["toy+9"]["says_stable"] is (None if is_silent else False)
        assert ("toy+9" in find.disagreeing) == (not is_silent)
        page = find_page(find, ["a.svg"])
        assert ("no verdict" in page) == is_silent
        assert "competing phases; below 0" in page
    assert 0 < silent < len(rows)
    assert "Further oracles have judged these finds, each on a hull of its own: toy+0, toy+9." in contents_page(
        list(finds(campaign)), campaign
    )
    assert call("handover", "--out", folder / "over", "--only", next(iter(rows))) == 0
    index = json.loads((folder / "over" / "index.json").read_text())
    [entry] = index["finds"]
    cif = next((folder / "over" / entry["folder"]).glob("*.cif")).read_text()
    assert "toy+9" in entry["disputed_by"] or "Li" in entry["formula"]
    assert all(name in cif for name in entry["disputed_by"])


def test_opinions_of_another_campaign_are_ignored_and_what_is_none_is_refused(folder, capsys):
    assert call("opinions", "--oracles", NAME) == 0
    content = json.loads((folder / OUT).read_text())
    for number, row in enumerate(content["finds"]):
        row["formula_pretty" if number % 2 else "material_id"] = "another"
    (folder / OUT).write_text(json.dumps(content))
    assert {len(find.verdicts) for find in finds(read_finished(folder))} == {2}
    for damaged, expected in (
        ('{"finds": []}', "was not written by `lodestone opinions`"),
        ('{"finds"', "opinions.json"),
    ):
        (folder / OUT).write_text(damaged)
        assert call("handover", "--out", "over") == 1
        assert expected in capsys.readouterr().err
    assert not (folder / "over").exists()


def test_a_damaged_file_of_before_does_not_keep_opinions_from_being_asked_for(folder):
    (folder / OUT).write_text('{"finds"')
    assert call("opinions", "--oracles", NAME) == 0
    assert json.loads((folder / OUT).read_text())["n_finds"] > 0


@pytest.mark.slow
def test_chgnet_judges_by_its_weights_for_r2scan(folder, capsys):
    pytest.importorskip("chgnet")
    find = pl.read_parquet("reports/discoveries.parquet").sort("n_competing_phases")["material_id"][0]
    assert call("opinions", "--oracles", "chgnet-r2scan", "--finds", find, "--near", "0") == 0
    content = json.loads((folder / OUT).read_text())
    [row] = content["finds"]
    said = row["opinions"]["chgnet-r2scan"]
    assert content["oracles"]["chgnet-r2scan"]["functional"] == "r2SCAN"
    assert said["n_competing"] >= 3
    assert -5 < said["energy_above_hull"] < 5
    assert row["n_verdicts"] == 2
    assert issubclass(type(chosen(["chgnet-r2scan"], "x")[0].oracle), Oracle)
