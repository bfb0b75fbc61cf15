"""The table of discoveries, its CIF files, and the metrics written beside them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lodestone.errors import LodestoneError
from lodestone.report.collect import CampaignData, collect
from lodestone.report.discoveries import cif_name, discoveries, incomplete_finds, write_cifs
from lodestone.report.summary import campaign_summary, headline, rounds_table
from lodestone.schemas import Discoveries
from lodestone.tables.files import validated

from .synthetic import MAX_DEPTH, above_hull, write_campaign


def test_each_stable_verification_becomes_one_valid_row(campaign: CampaignData, found: pl.DataFrame) -> None:
    validated(found, Discoveries, Path("discoveries.parquet"))
    stable = campaign.verifications.filter("is_stable")["material_id"]
    assert sorted(found["material_id"]) == sorted(stable)
    assert found["round"].is_sorted()
    assert found["round"].n_unique() == 3


def test_both_hull_distances_agree_with_linear_programming(campaign: CampaignData, found: pl.DataFrame) -> None:
    assert found["energy_above_hull"].to_numpy() == pytest.approx(above_hull(found, campaign.known), abs=1e-8)
    assert (found["energy_above_hull"] > 0.01).any(), "no discovery was pushed off the hull: the test shows too little"
    first = found.filter(pl.col("round") == "round_0")
    start = above_hull(first, campaign.rounds[0].crystals)
    assert first["energy_above_hull_start"].to_numpy() == pytest.approx(start, abs=1e-8)


def test_novelty_is_against_what_was_known_when_the_campaign_began(campaign: CampaignData, found: pl.DataFrame) -> None:
    """Whatever later rounds found; a phase without a structure makes a formula known, too."""
    first = campaign.rounds[0].crystals
    is_new = ~pl.col("formula_pretty").is_in(first["formula_pretty"].implode())
    assert (found.filter(is_new)["novelty"] == "new composition").all()
    assert set(found.filter(~is_new)["novelty"]) == {"polymorph"}
    assert found.filter(~is_new)["known_as"].is_in(first["material_id"].implode()).all()
    assert 0 < found.select(is_new).to_series().sum() < len(found)
    one = found.filter(is_new).row(0, named=True)
    bare = {name: one[name] for name in ("formula_pretty", "chemsys", "formation_energy_per_atom")}
    phases = pl.DataFrame([{"material_id": "bare"} | bare]).select(campaign.phases.columns)
    again = discoveries(replace(campaign, phases=phases)).filter(pl.col("formula_pretty") == one["formula_pretty"])
    assert set(again.select("novelty", "known_as").rows()) == {("known formula", "bare")}


def test_disorder_is_flagged_and_its_families_are_counted(campaign: CampaignData, found: pl.DataFrame) -> None:
    summary, flagged = campaign_summary(campaign, found), found.drop_nulls("likely_disorder")
    alone = len(found) - len(flagged)
    assert summary["n_likely_disordered"] == len(flagged)
    assert summary["n_families"] == alone + flagged["disorder_family"].n_unique()
    assert summary["novelty"] == dict(found["novelty"].value_counts().rows())


def test_a_discovery_unknown_at_the_end_is_refused(campaign: CampaignData, found: pl.DataFrame) -> None:
    lost = found["material_id"][0]
    with pytest.raises(LodestoneError, match=f"{lost}.*not among the crystals"):
        discoveries(replace(campaign, known=campaign.known.filter(pl.col("material_id") != lost)))


def test_cifs_hold_the_same_crystals_and_replace_those_of_an_earlier_campaign(
    found: pl.DataFrame, tmp_path: Path
) -> None:
    from pymatgen.core import Structure

    (tmp_path / "stale.cif").write_text("data_old\n")
    write_cifs(found, {"name": "toy", "caveat": "Energies are\nmade up."}, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {cif_name(row) for row in found.iter_rows(named=True)}
    for row in found.iter_rows(named=True):
        path = tmp_path / f"{row['formula_pretty']}_{row['material_id']}.cif"
        text = path.read_text()
        assert text.startswith("# Energies are made up.\n")
        assert re.search(rf"^_lodestone_material_id +'{row['material_id']}'$", text, re.MULTILINE)
        assert re.search(r"^_lodestone_energy_above_hull +\d", text, re.MULTILINE)
        assert re.search(rf"^_symmetry_Int_Tables_number +{row['spacegroup_number']}$", text, re.MULTILINE)
        structure = Structure.from_file(path)
        assert structure.composition.reduced_formula == row["formula_pretty"]
        assert structure.get_space_group_info()[1] == row["spacegroup_number"]
        volume = abs(np.linalg.det(np.reshape(row["lattice"], (3, 3)))) / row["nsites"]
        assert structure.volume / len(structure) == pytest.approx(volume, rel=1e-4)


def test_rounds_table_has_one_row_per_round(campaign: CampaignData) -> None:
    table = rounds_table(campaign)
    assert table["name"].to_list() == ["round_0", "round_1", "round_2"]
    assert table["hit_rate_model_n"].to_list() == [15, 15, 15]
    assert table["test_mae_ensemble"].to_list() == [data.test["ensemble"].mae for data in campaign.rounds]


def test_summary_counts_what_the_tables_hold(campaign: CampaignData, found: pl.DataFrame) -> None:
    summary = campaign_summary(campaign, found)
    assert (summary["n_rounds"], summary["n_verified"]) == (3, 60)
    assert summary["n_discoveries"] == campaign.verifications["is_stable"].sum()
    assert 0 < summary["n_discoveries_on_final_hull"] < summary["n_discoveries"]
    assert summary["n_formulas"] == len(set(found["formula_pretty"]))


def test_depth_is_that_of_discoveries_and_what_lies_deeper_is_counted_apart(
    campaign: CampaignData, found: pl.DataFrame
) -> None:
    summary, verified = campaign_summary(campaign, found), campaign.verifications
    below = verified.filter(pl.col("is_new") & (pl.col("energy_above_hull") <= 0))
    deep = below.filter(pl.col("energy_above_hull") < -MAX_DEPTH)
    shallow = sorted(-below.filter(pl.col("energy_above_hull") >= -MAX_DEPTH)["energy_above_hull"])
    assert sorted(found["material_id"]) == sorted(set(below["material_id"]) - set(deep["material_id"]))
    assert summary["depth"] == {"n": len(shallow), "median": pytest.approx(np.median(shallow)), "max": shallow[-1]}
    assert headline(campaign, found)["depth"] == summary["depth"]["median"]
    assert summary["n_hull_incomplete"] == len(deep) > 0
    apart = incomplete_finds(campaign)
    assert sorted(apart["material_id"]) == sorted(deep["material_id"])
    assert apart["round"].is_sorted()


def test_the_headline_is_short_and_counts_all_rounds(campaign: CampaignData, found: pl.DataFrame) -> None:
    short = headline(campaign, found)
    rounds = rounds_table(campaign)
    assert short["hit_rate_model"] == pytest.approx(rounds["hit_rate_model_hits"].sum() / 45)
    assert short["discoveries"] == len(found)
    assert short["test_mae"] == rounds["test_mae_ensemble"][-1]
    assert sum(len(name) + 3 for name in short) < 80


def test_rates_of_nothing_are_empty_cells_not_zeros(tmp_path: Path) -> None:
    params, layout, metrics = write_campaign(tmp_path, rounds=1, found="nothing")
    text = rounds_table(collect(params, layout, metrics)).select("hit_rate_model", "hit_rate_model_n").write_csv()
    assert text == "hit_rate_model,hit_rate_model_n\n,0\n"
