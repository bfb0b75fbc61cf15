"""Which discoveries survive on a completed hull: a world of lithium and chlorine in which all of it is known."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from lodestone.audit.campaign import Campaign
from lodestone.audit.rivals import read_rivals
from lodestone.audit.text import text
from lodestone.audit.verdicts import audit
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import describe, encode, reduced_formula
from lodestone.ensemble.metrics import wilson_proportion
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Label

LI, CL, K = 3, 17, 19
FCC = 0.5 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
FACES = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
LICL = Crystal(3.3 * np.eye(3), [LI, CL], [[0, 0, 0], [0.5] * 3])
ROCK_SALT = Crystal(5.1 * FCC, [LI, CL], [[0, 0, 0], [0.5] * 3])
LI3CL = Crystal(4.0 * np.eye(3), [CL, LI, LI, LI], FACES)
LICL3 = Crystal(4.2 * np.eye(3), [LI, CL, CL, CL], FACES)
LI2CL = Crystal(5.0 * FCC, [CL, LI, LI], [[0, 0, 0], [0.25] * 3, [0.75] * 3])
LICL2 = Crystal(5.2 * FCC, [LI, CL, CL], [[0, 0, 0], [0.25] * 3, [0.75] * 3])
KCL = Crystal(3.6 * np.eye(3), [K, CL], [[0, 0, 0], [0.5] * 3])
BEFORE = {"licl": (LICL, -0.5), "li3cl": (LI3CL, -0.3), "licl3": (LICL3, -0.1)}
# LiCl is on any hull; Li3Cl on the campaign's only; LiCl3 on none: at its composition LiCl and Cl reach -0.25.
TABLE = {
    "mp-1": (LICL.scaled_to(1.02 * LICL.volume), -0.6, 0.0),  # its own, lower copy pushes nothing off
    "mp-2": (LI2CL, -0.45, 0.05),
    "mp-3": (ROCK_SALT, -0.4, None),
    "mp-4": (LICL2, -9.0, 0.2),  # too far above the hull of the table to be labelled
    "mp-5": (KCL, -9.0, 0.0),  # another system
}


def campaign():
    table = describe([crystal for crystal, _ in BEFORE.values()]).with_columns(
        pl.Series("material_id", list(BEFORE)),
        pl.Series("formation_energy_per_atom", [energy for _, energy in BEFORE.values()]),
        pl.Series("energy_per_atom", [energy - 1.0 for _, energy in BEFORE.values()]),
        pl.Series("energy_above_hull", [0.0, 0.0, 0.15]),
        pl.Series("energy_above_hull_start", [-0.2, -0.05, 0.0]),
        pl.Series("acquired_by", ["model", "model", "random"]),
        n_competing_phases=pl.lit(0, pl.Int32),
        round=pl.lit("round_0"),
    )
    references = pl.DataFrame({"element": ["Li", "Cl"], "energy_per_atom": [-1.0, -1.0], "material_id": ["a", "b"]})
    return Campaign(table, table, references)


@pytest.fixture
def path(tmp_path):
    """As the Materials Project's table: structures as JSON, distances to its own hull."""
    structures = [
        json.dumps({"lattice": c.lattice.tolist(), "species": list(c.species), "frac_coords": c.frac_coords.tolist()})
        for c, _, _ in TABLE.values()
    ]
    columns = {"material_id": list(TABLE), "structure": structures}
    columns["energy_above_hull"] = [above for _, _, above in TABLE.values()]
    pl.DataFrame(columns).write_parquet(tmp_path / "mp.parquet")
    return tmp_path / "mp.parquet"


def label(crystals):
    """Energies of the table, 1 eV/atom lower than formation energies, as in the campaign."""
    return [Label("ok", _energy(crystal) - 1.0, crystal) for crystal in crystals]


def _energy(crystal):
    same = [e for c, e, _ in TABLE.values() if len(c) == len(crystal) and np.isclose(c.volume, crystal.volume)]
    assert len(same) == 1, "a crystal that is not of the table"
    return same[0]


def judged(path, **changes):
    before = campaign()
    return audit(before, read_rivals(path, before), changes.pop("label", label), **changes)


def test_discoveries_survive_or_fall_to_the_phases_that_the_table_adds(path):
    content = judged(path)
    licl, li3cl, licl3 = content["discoveries"]
    assert (licl["survives"], licl["falls_to"], licl["energy_above_hull"]) == (True, [], 0.0)
    assert not li3cl["survives"]
    assert li3cl["energy_above_hull"] == pytest.approx(0.75 * 0.45 - 0.3)
    [first, second] = li3cl["falls_to"]
    assert (first["material_id"], first["formula_pretty"], first["source"]) == ("mp-2", "Li2Cl", "table")
    assert (second["material_id"], second["formula_pretty"], second["source"]) == (None, "Li", "reference")
    assert (first["amount"], second["amount"]) == (pytest.approx(0.75), pytest.approx(0.25))
    assert not licl3["survives"]
    assert {phase["source"] for phase in licl3["falls_to"]} == {"campaign", "reference"}
    assert licl3["energy_above_hull"] == pytest.approx(0.15)


def test_shares_have_their_n_and_interval(path):
    content = judged(path)
    assert content["survive"] == wilson_proportion(1, 3)
    assert content["survive_by"] == {"model": wilson_proportion(1, 2), "random": wilson_proportion(0, 1)}
    assert content["survive_and_new_formula"] == wilson_proportion(0, 3)
    assert content["known_by_formula"] == content["known_by_structure"] == wilson_proportion(1, 3)
    assert content["fall_to_the_table"] == content["fall_within_the_campaign"] == wilson_proportion(1, 3)
    assert content["depth"] == {"n": 3, "median": 0.05, "max": 0.2}
    assert json.loads(json.dumps(content, allow_nan=False)) == content


def test_only_the_systems_of_the_discoveries_near_the_hull_of_the_table_are_labelled(path):
    labelled = []

    def counted(crystals):
        labelled.extend(reduced_formula(crystal.atomic_numbers) for crystal in crystals)
        return label(crystals)

    content = judged(path, label=counted)
    assert sorted(labelled) == ["Li2Cl", "LiCl"]  # the rock salt, of which no distance is given
    assert content["phases"]["n_in_systems"] == 4
    assert content["phases"]["n_identical_to_a_discovery"] == 1
    assert content["phases"]["n_labelled"] == 2
    assert content["against"]["file"] == "mp.parquet"
    assert content["against"]["max_energy_above_hull"] == 0.1
    assert len(judged(path, highest=0.3)["discoveries"][0]["falls_to"]) > 0  # LiCl2 takes part


def test_a_discovery_is_known_by_formula_or_by_structure(path):
    table = pl.read_parquet(path)
    rows = {row["material_id"]: row for row in judged(path)["discoveries"]}
    assert (rows["licl"]["formula_is_known"], rows["licl"]["known_as"]) == (True, "mp-1")
    table.filter(pl.col("material_id") != "mp-1").write_parquet(path)
    rows = {row["material_id"]: row for row in judged(path)["discoveries"]}
    assert (rows["licl"]["formula_is_known"], rows["licl"]["known_as"]) == (True, None)
    assert rows["licl"]["survives"]  # the other polymorph lies higher
    assert not rows["li3cl"]["formula_is_known"]


def test_phases_that_the_oracle_refuses_push_nothing_off_and_are_counted(path):
    def refusing(crystals):
        refused = Label("atoms_overlap: 0.3")
        return [refused if len(c) == 3 else one for c, one in zip(crystals, label(crystals), strict=True)]

    content = judged(path, label=refusing)
    assert content["phases"]["refused"] == {"atoms_overlap": 1}
    assert content["discoveries"][1]["survives"]


def test_a_table_with_the_columns_of_our_own_snapshots_gives_the_same(path, tmp_path):
    ours = encode([crystal for crystal, _, _ in TABLE.values()]).hstack(
        pl.read_parquet(path).select("material_id", "energy_above_hull")
    )
    ours.with_columns(label_method=pl.lit("chgnet-0.3.0")).write_parquet(tmp_path / "own.parquet")
    first, second = judged(path), judged(tmp_path / "own.parquet")
    assert first["discoveries"] == second["discoveries"]
    assert first["phases"] == second["phases"]


def test_identifiers_that_the_table_shares_with_the_campaign_confuse_nothing(path):
    """A table made from the campaign's own crystals calls them what the campaign does."""
    renamed = {"mp-1": "li3cl", "mp-2": "licl"}
    pl.read_parquet(path).with_columns(pl.col("material_id").replace(renamed)).write_parquet(path)
    rows = {row["material_id"]: row for row in judged(path)["discoveries"]}
    assert rows["licl"]["known_as"] == "li3cl"
    assert rows["licl"]["survives"]
    assert [phase["material_id"] for phase in rows["li3cl"]["falls_to"]] == ["licl", None]


def test_the_text_names_every_discovery_its_verdict_and_the_shares(path):
    lines = text(judged(path)).splitlines()
    assert lines[0].startswith("3 discoveries (3 formulas, 1 chemical systems) against mp.parquet: 4 phases")
    assert "    1 of 3   33.3 %  [6, 79]  survive on the completed hull" in lines
    assert [line.split()[0] for line in lines[-3:]] == ["LiCl", "Li3Cl", "LiCl3"]  # by distance
    assert lines[-3].endswith("survives")
    assert lines[-2].endswith("falls to 0.75 Li2Cl (mp-2) + 0.25 Li")


def test_a_table_without_structures_is_refused(tmp_path):
    pl.DataFrame({"material_id": ["mp-1"], "formula": ["LiCl"]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(LodestoneError, match="has no structures"):
        judged(tmp_path / "t.parquet")


def test_a_missing_table_and_one_of_an_unknown_format_are_refused(tmp_path):
    with pytest.raises(LodestoneError, match=r"nothing\.parquet does not exist"):
        judged(tmp_path / "nothing.parquet")
    (tmp_path / "t.csv").write_text("material_id\n")
    with pytest.raises(LodestoneError, match=r"t\.csv is neither parquet nor"):
        judged(tmp_path / "t.csv")


def test_a_table_of_other_chemistry_leaves_nothing_to_compete(path):
    pl.read_parquet(path).filter(pl.col("material_id") == "mp-5").write_parquet(path)
    with pytest.raises(LodestoneError, match="no phase in the 1 chemical systems of the discoveries"):
        judged(path)


def test_structures_that_cannot_be_read_are_counted(path):
    broken = pl.col("material_id") == "mp-3"
    pl.read_parquet(path).with_columns(
        pl.when(broken).then(pl.lit('{"lattice": 1}')).otherwise("structure").alias("structure")
    ).write_parquet(path)
    assert judged(path)["phases"]["n_unreadable"] == 1


def test_what_a_row_says_of_its_composition_gives_way_to_its_structure(path):
    """Else a row that lies about its elements would join a hull on which they have no reference."""
    honest = judged(path)
    pl.read_parquet(path).with_columns(formula=pl.lit("LiCl"), chemsys=pl.lit("Cl-Li")).write_parquet(path)
    content = judged(path)
    assert content["phases"] == honest["phases"]
    assert content["discoveries"] == honest["discoveries"]


def test_elements_without_a_reference_are_named(path):
    before = campaign()
    before = replace(before, references=before.references.filter(pl.col("element") != "Cl"))
    with pytest.raises(LodestoneError, match="no elemental reference energy for Cl"):
        audit(before, read_rivals(path, before), label)


def test_the_table_of_the_materials_project_is_read_by_system(shared_data):
    path = shared_data / "mp_structures.parquet"
    rivals = read_rivals(path, campaign())
    said = pl.read_parquet(path, columns=["material_id", "chemsys"])
    expected = said.filter(pl.col("chemsys").is_in(["Cl", "Li", "Cl-Li"]))["material_id"]
    assert len(expected) > 3
    assert sorted(rivals.phases["name"]) == sorted(expected)
    assert rivals.unreadable == 0
    assert rivals.competing(0.0)["energy_above_hull"].max() == 0.0
