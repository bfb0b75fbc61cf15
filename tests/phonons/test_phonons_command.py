"""The command: what it writes, that it resumes, what it refuses, and who reads its file."""

import json
from dataclasses import replace
from importlib.metadata import PackageNotFoundError

import polars as pl
import pytest
from copper import BCC, FCC, HCP, LIMITS, SECTION, DyingSettings, campaign_of, emt

from lodestone.cli.main import main
from lodestone.config.registry import ORACLES
from lodestone.ensemble.metrics import wilson_proportion
from lodestone.errors import LodestoneError
from lodestone.handover.campaign import read_finished
from lodestone.handover.finds import finds
from lodestone.handover.pages import contents_page, find_page
from lodestone.oracles.registry import make_oracle
from lodestone.phonons import phonons as room
from lodestone.phonons.settings import PhononSettings
from lodestone.phonons.store import VerdictStore, verdict_key
from lodestone.phonons.text import text

pytest.importorskip("phonopy")
OUT = "reports/phonons.json"
SETTINGS = PhononSettings(min_length=5.0)


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


def fault(capsys, *arguments):
    assert call("phonons", *arguments) == 1
    said = capsys.readouterr().err
    assert said.count("error:") == 1
    assert "->" in said
    assert "Traceback" not in said
    return said


def test_it_counts_says_and_writes(folder, computed, capsys):
    assert call("phonons", "--oracle", "emt.yaml", "--tolerance", "0.2", "--max-atoms", "90", "--min-length", "7") == 0
    said = capsys.readouterr().out
    content = json.loads((folder / OUT).read_text())
    rows = content["finds"]
    n = pl.read_parquet("reports/discoveries.parquet").height
    assert len(rows) == content["n_finds"] == content["n_discoveries"] == n == len(computed) > 5
    assert (content["settings"]["tolerance"], content["settings"]["max_atoms"]) == (0.2, 90)
    assert content["settings"]["min_length"] == 7.0
    assert content["versions"]["phonopy"]
    hits = {word: sum(row["is_stable"] is word and row["is_computed"] for row in rows) for word in (True, False, None)}
    total = sum(hits.values())
    assert total + content["n_not_computed"] == n
    assert content["stable"] == wilson_proportion(hits[True], total)
    assert content["unstable"] == wilson_proportion(hits[False], total)
    assert content["undecided"] == wilson_proportion(hits[None], total)
    assert sum(share["n"] for share in content["stable_by"].values()) == total
    led = sum(bool(row["followed"]) and row["followed"]["gained"] is not None for row in rows)
    assert content["stable_after_following"] == wilson_proportion(led, led)
    assert "space group 62, 12.3 meV/atom lower, stable there" in said
    assert "nowhere: not relaxed: exploded" in said
    assert "too large: whatever" in said
    assert f"{hits[True]:>5} of {total}" in said
    assert f"written: {OUT}" in said


def test_an_interrupted_run_goes_on_where_it_stopped(folder, computed, monkeypatch):
    whole = room.verdict

    def cut(*arguments):
        if len(computed) == 4:
            raise KeyboardInterrupt
        return whole(*arguments)

    monkeypatch.setattr(room, "verdict", cut)
    assert call("phonons", "--oracle", "emt.yaml") != 0
    assert not (folder / OUT).exists()
    first = list(computed)
    assert len(first) == 4
    monkeypatch.setattr(room, "verdict", whole)
    assert call("phonons", "--oracle", "emt.yaml") == 0
    content = (folder / OUT).read_bytes()
    assert len(computed) == len(set(computed)) == json.loads(content)["n_finds"]
    assert call("phonons", "--oracle", "emt.yaml", "--out", "elsewhere/mine.json") == 0
    assert len(computed) == json.loads(content)["n_finds"]
    assert (folder / "elsewhere" / "mine.json").read_bytes() == content
    assert call("phonons", "--oracle", "emt.yaml", "--tolerance", "0.1") == 0
    assert len(computed) == 2 * json.loads(content)["n_finds"]  # other settings are other verdicts


def test_some_finds_are_the_smallest_or_those_that_are_named(folder, computed):
    table = pl.read_parquet("reports/discoveries.parquet")
    assert call("phonons", "--oracle", "emt.yaml", "--most", "3") == 0
    content = json.loads((folder / OUT).read_text())
    smallest = table.sort("nsites", "material_id")["material_id"].to_list()[:3]
    assert [row["material_id"] for row in content["finds"]] == smallest
    assert (content["n_finds"], content["n_discoveries"]) == (3, table.height)
    assert call("phonons", "--oracle", "emt.yaml", "--finds", table["material_id"][2]) == 0
    [row] = json.loads((folder / OUT).read_text())["finds"]
    assert row["material_id"] == table["material_id"][2]


def test_the_smallest_cells_come_first_in_processes_and_one_that_dies_is_tried_again(tmp_path, monkeypatch):
    monkeypatch.setenv("LODESTONE_WORKERS", "2")
    campaign, store = campaign_of(hcp=HCP, bcc=BCC, fcc=FCC), VerdictStore(tmp_path)
    dying = make_oracle(DyingSettings(**LIMITS))
    content = room.phonons(campaign, dying, SETTINGS, store)
    said = {row["material_id"]: (row["is_stable"], row["reason"]) for row in content["finds"]}
    assert list(said) == ["bcc", "fcc", "hcp"]
    died = (None, "worker_died")
    assert said == {"bcc": died, "fcc": (True, None), "hcp": died}  # bcc leads to a cell of two atoms, too
    assert len(list(tmp_path.iterdir())) == 1
    again = room.phonons(campaign, emt(), SETTINGS, store)
    assert [row["is_stable"] for row in again["finds"]] == [False, True, True]
    assert len(again["finds"][0]["followed"]["crystal"]["atomic_numbers"]) == 2
    assert again["stable"]["hits"] == 2
    assert text(again).splitlines()[-1].startswith("Cu")


def test_a_verdict_is_one_of_a_crystal_an_oracle_settings_and_a_version():
    keys = {
        verdict_key(FCC, emt(), SETTINGS, "4.10"),
        verdict_key(HCP, emt(), SETTINGS, "4.10"),
        verdict_key(FCC, emt(model="other", fmax=0.01), SETTINGS, "4.10"),
        verdict_key(FCC, emt(), replace(SETTINGS, displacement=0.01), "4.10"),
        verdict_key(FCC, emt(), SETTINGS, "4.11"),
    }
    assert len(keys) == 5
    assert verdict_key(FCC, emt(), SETTINGS, "4.10") in keys


def test_a_damaged_verdict_is_named(folder, computed, capsys, tmp_path):
    assert call("phonons", "--oracle", "emt.yaml", "--most", "1") == 0
    [path] = (tmp_path / "phonons").iterdir()
    for damaged in ("[]", "{", "{}"):
        path.write_text(damaged)
        assert path.name in fault(capsys, "--oracle", "emt.yaml", "--most", "1")


def test_without_phonopy_one_error_names_what_to_install(folder, computed, capsys, monkeypatch):
    def missing(package):
        raise PackageNotFoundError(package)

    monkeypatch.setattr(room, "version", missing)
    said = fault(capsys, "--oracle", "emt.yaml")
    assert "phonons need the package phonopy, which is not installed" in said
    assert "pip install 'lodestone-materials[phonons]'" in said
    assert computed == []


def test_an_oracle_without_forces_is_refused_and_a_chain_gives_those_of_its_judge():
    chain = {"name": "chain", "relax": {"name": "chgnet-0.3.0", **LIMITS}, "judge": SECTION}
    assert room.potential_of(ORACLES.choice("name", chain)).name == emt().name
    with pytest.raises(LodestoneError, match="gives no forces"):
        room.potential_of(ORACLES.choice("name", {"name": "replay", "tables": ["labels.parquet"]}))


@pytest.mark.parametrize(
    "arguments", [["--min-length", "0"], ["--max-atoms", "none"], ["--tolerance", "-1"], ["--most", "0"]]
)
def test_impossible_limits_are_refused(folder, capsys, arguments):
    assert call("phonons", *arguments) == 2
    assert "is not a" in capsys.readouterr().err


def test_without_a_campaign_there_is_nothing_to_compute(folder, capsys, monkeypatch):
    assert "'unobtainium'" in fault(capsys, "--finds", "unobtainium")
    assert "there is no oracle 'chgnt'" in fault(capsys, "--oracle", "chgnt")
    monkeypatch.chdir(folder.parent)
    assert "holds no campaign" in fault(capsys)


def test_phonons_judge_in_the_hand_over(folder, computed):
    before = contents_page(list(finds(read_finished(folder))), read_finished(folder))
    assert "<code>lodestone phonons</code> does" in before
    assert call("phonons", "--oracle", "emt.yaml") == 0
    campaign = read_finished(folder)
    rows = {row["material_id"]: row for row in campaign.phonons["finds"]}
    pages = []
    for find in finds(campaign):
        said, row = find.verdicts[-1], rows[find.material_id]
        assert (said["judge"], said["says_stable"], said["reason"]) == ("phonons", row["is_stable"], row["reason"])
        assert ("phonons" in find.disagreeing) == (row["is_stable"] is False)
        pages.append(find_page(find, ["a.svg"]))
        assert ("lowest frequency" in pages[-1]) == row["is_computed"]
    every = "".join(pages)
    assert "lowest frequency −1.50 THz at q = (0.5 0 0.333)" in every
    assert "distorts to space group 62, 12.3 meV/atom lower, stable there" in every
    assert "its softest mode was followed to no crystal" in every
    assert "too large: whatever" in every
    assert "is not dynamically stable" in contents_page(list(finds(campaign)), campaign)
    assert call("handover", "--out", folder / "over") == 0
    index = json.loads((folder / "over" / "index.json").read_text())
    disputed = {entry["material_id"] for entry in index["finds"] if "phonons" in entry["disputed_by"]}
    assert disputed == {name for name, row in rows.items() if row["is_stable"] is False} != set()


def test_phonons_of_another_campaign_are_ignored_and_what_is_none_is_refused(folder, computed, capsys):
    assert call("phonons", "--oracle", "emt.yaml") == 0
    content = json.loads((folder / OUT).read_text())
    for row in content["finds"]:
        row["material_id"] = "another"
    (folder / OUT).write_text(json.dumps(content))
    assert {len(find.verdicts) for find in finds(read_finished(folder))} == {2}
    (folder / OUT).write_text('{"finds": []}')
    assert call("handover", "--out", "over") == 1
    assert "was not written by `lodestone phonons`" in capsys.readouterr().err


@pytest.mark.slow
def test_chgnet_calls_rock_salt_stable_and_its_sodium_chloride_in_another_structure_unstable(tmp_path):
    from ase.build import bulk

    from lodestone.crystals.crystal import Crystal

    pytest.importorskip("chgnet")
    oracle = make_oracle(ORACLES.choice("name", {"name": "chgnet-0.3.0", **LIMITS}))
    rock, cesium = (
        Crystal.from_ase(bulk("NaCl", name, a)) for name, a in (("rocksalt", 5.64), ("cesiumchloride", 3.4))
    )
    content = room.phonons(campaign_of(rock=rock, cesium=cesium), oracle, PhononSettings(), VerdictStore(tmp_path))
    said = {row["material_id"]: row for row in content["finds"]}
    assert said["rock"]["is_stable"] is True
    assert 4 < said["rock"]["highest_frequency"] < 6.5  # 5 to 6 without the field of the longitudinal modes
    assert said["cesium"]["is_stable"] is False
    assert said["cesium"]["followed"]["gained"] > 0.01
