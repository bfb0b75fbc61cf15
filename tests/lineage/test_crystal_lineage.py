"""The lineage of a crystal says what the tables of the rounds say."""

import json

import polars as pl
import pytest

from lodestone.cli.main import main
from lodestone.errors import LodestoneError
from lodestone.lineage.crystal import crystal_lineage
from lodestone.lineage.text import crystal_text
from lodestone.tables.files import read_table, write_table
from lodestone.tables.layout import Layout
from report.synthetic import write_campaign

ROUNDS = ["round_0", "round_1"]


@pytest.fixture(scope="module")
def layout(tmp_path_factory) -> Layout:
    root = tmp_path_factory.mktemp("campaign")
    write_campaign(root, rounds=2)
    return Layout(root / "data")


def verified(layout: Layout, name: str) -> dict:
    table = read_table(layout.round(name).verifications)
    return table.filter("is_stable").row(0, named=True)


def test_a_discovery_has_parent_predictions_verification_and_hull(layout):
    row = verified(layout, "round_0")
    facts = crystal_lineage(layout, ROUNDS, row["material_id"])
    assert facts["made_from"] == {"generator": "substitution", **json.loads(row["provenance"])}
    assert facts["predictions"][0]["round"] == "round_0"
    assert facts["predictions"][0]["formation_energy_per_atom_pred"] == pytest.approx(
        read_table(layout.round("round_0").candidates)
        .row(by_predicate=pl.col("material_id") == row["material_id"], named=True)["formation_energy_per_atom_pred"]
    )  # fmt: skip
    checked = facts["verification"]
    assert checked["energy_above_hull"] == row["energy_above_hull"]
    assert checked["hull"]["decomposition"] == row["decomposition"]
    assert checked["hull"]["known_crystals"] == len(read_table(layout.round("round_0").crystals))
    elements = set(row["chemsys"].split("-"))
    assert len(checked["hull"]["phases_of_system"]) >= len(elements)
    assert list(facts["hull_distances"]) == ["round_1"]
    assert row["material_id"] in crystal_text(facts)
    assert "nan" not in json.dumps(facts).lower().split()


def test_ancestors_lead_back_to_the_snapshot(layout, tmp_path):
    write_campaign(tmp_path, rounds=2)
    changed = Layout(tmp_path / "data")
    first, second = verified(changed, "round_0"), verified(changed, "round_1")
    path = changed.round("round_1").verifications
    parent = pl.lit(json.dumps({"parent": first["material_id"]}))
    write_table(read_table(path).with_columns(provenance=parent), path)
    line = crystal_lineage(changed, ROUNDS, second["material_id"])["ancestors"]
    grandparent = json.loads(first["provenance"])["parent"]
    assert [(one["material_id"], one["origin"]) for one in line] == [
        (first["material_id"], "round_0"),
        (grandparent, "snapshot"),
    ]


def test_a_test_crystal_has_the_prediction_of_each_round_and_no_verification(layout):
    name = read_table(layout.round("round_0").predictions)["material_id"][0]
    facts = crystal_lineage(layout, ROUNDS, name)
    assert {one["round"] for one in facts["predictions"]} == set(ROUNDS)
    assert (facts["made_from"], facts["verification"], facts["crystal"]["origin"]) == (None, None, "snapshot")
    assert "a crystal of the snapshot" in crystal_text(facts)


def test_an_unknown_crystal_is_named(layout):
    with pytest.raises(LodestoneError, match="mp-0 is in no table"):
        crystal_lineage(layout, ROUNDS, "mp-0")


def test_the_command_tells_of_a_crystal(tmp_path, monkeypatch, capsys):
    from finished_campaign import write_finished_campaign

    row = write_finished_campaign(tmp_path, rounds=1).row(0, named=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["lineage", row["material_id"], "--json"])
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["crystal"]["material_id"] == row["material_id"]
