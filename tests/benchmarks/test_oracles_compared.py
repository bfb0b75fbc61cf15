"""Oracles held against DFT on the hull of the same phases."""

import json

import numpy as np
import polars as pl
import pytest

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import encode
from lodestone.oracles.base import Label
from oracles import ENERGY, STABLE, by_dft, compared, draw, element_crystals, formed, oracle_of, text, usable

SPECIES = {"NaCl": ["Na", "Cl"], "NaCl2": ["Na", "Cl", "Cl"], "Na2Cl": ["Na", "Na", "Cl"], "MgNa": ["Mg", "Na"]}


def structure(species):
    coords = [[0.1 * place, 0.2 * place, 0.3 * place] for place in range(len(species))]
    return json.dumps({"lattice": (4.0 * np.eye(3)).tolist(), "species": species, "frac_coords": coords})


def row(name, formula, energy, above, *, source="crysxpp", species=None):
    species = species or SPECIES[formula]
    return {
        "material_id": name,
        "formula": formula,
        "chemsys": "-".join(sorted(set(species))),
        "nsites": len(species),
        ENERGY: energy,
        "energy_above_hull": above,
        "structure": structure(species),
        "source": source,
    }


@pytest.fixture
def file():
    return pl.DataFrame(
        [
            row("salt", "NaCl", -2.0, 0.0),
            row("salt-2", "NaCl", -1.9, 0.1),
            row("rich", "NaCl2", -1.2, 0.15),
            row("poor", "Na2Cl", -1.2, 0.13),
            row("of another functional", "MgNa", -0.1, 0.0, source="topology_databases"),
            row("sodium", "Na", 0.0, 0.0, species=["Na"]),
        ]
    )


@pytest.fixture
def rows(file):
    return usable(file, {"Na", "Cl", "Mg"})


def test_the_lowest_crystals_whose_cell_pbe_relaxed_are_compounds_on_their_own_hull(rows):
    assert rows["material_id"].to_list() == ["salt", "poor", "rich"]
    assert rows["energy_above_hull"].to_list() == pytest.approx([0.0, 2.0 * 2 / 3 - 1.2, 2.0 * 2 / 3 - 1.2])


def test_half_of_what_is_drawn_is_on_the_hull_and_the_draw_is_that_of_its_seed(rows):
    many = pl.concat(
        [rows.with_columns(pl.format("{} {}", "material_id", pl.lit(i)).alias("material_id")) for i in range(9)]
    )
    first, again, other = (draw(many, 8, seed, 12)["material_id"].to_list() for seed in (0, 0, 1))
    assert first == again != other
    assert sum(name.startswith("salt") for name in first) == 4
    assert draw(many, 8, 0, 12).filter(pl.col("energy_above_hull") > 0)["nsites"].max() == 3


def test_energies_of_dft_get_the_corrections_of_mp2020(rows):
    """Chlorine: its element was corrected in 2019, as an anion it is in 2020."""
    changes = by_dft(rows) - rows[ENERGY].to_numpy()
    assert changes[0] == pytest.approx((-0.614 + 0.594685683) / 2)


def test_elements_are_the_lowest_of_small_and_large_crystals(rows, file):
    sodium, chlorine = (Crystal(4 * np.eye(3), [z], [[0, 0, 0]]) for z in (11, 17))
    known = pl.DataFrame({"chemsys": ["Na", "Cl"], "energy_per_atom": [-1.3, -1.8]}).hstack(encode([sodium, chlorine]))
    relaxed = [Label("ok", -1.3, sodium), Label("ok", -1.8, chlorine)]

    def static(crystals):
        return [Label("ok", -1.4 if len(crystal) == 1 else -3.0, crystal) for crystal in crystals]

    elements = element_crystals(known, file)
    assert formed(rows, elements, lambda _: relaxed, static)[0] == pytest.approx(-3.0 + (1.4 + 1.8) / 2)
    silent = [relaxed[0], Label("exploded")]
    with pytest.raises(SystemExit, match="no energy of the elements Cl"):
        formed(rows, elements, lambda _: silent, static)


def test_figures_are_those_of_the_errors_and_what_one_lacks_counts_for_none(rows):
    truth = by_dft(rows)
    high = truth + np.array([0.0, 0.05, 0.05])
    content = compared(rows, 3, {"right": truth, "high": high}, seed=0)
    right, wrong = content["oracles"].values()
    assert (content["n"], content["n_stable"], content["n_without_a_label"]) == (3, 1, 0)
    assert (right["mae"], right["f1"], right["error_above_first"]["mean"]) == (0.0, 1.0, 0.0)
    assert wrong["mae"] == pytest.approx(0.05)  # salt is on a hull that lies higher
    assert wrong["bias"] == pytest.approx((0.05 + 0.05 - 0.05) / 3)
    assert wrong["mae_interval"][0] <= wrong["mae"] <= wrong["mae_interval"][1]
    lost = compared(rows, 3, {"right": truth, "high": np.array([*high[:2], np.nan])}, seed=0)
    assert (lost["n"], lost["n_without_a_label"], lost["oracles"]["right"]["n"]) == (2, 1, 2)


def test_a_verdict_that_is_wrong_lowers_f1(rows):
    truth = by_dft(rows)
    low = truth - np.array([0.0, 0.5, 0.0])
    found = compared(rows, 3, {"low": low}, seed=0)["oracles"]["low"]
    assert found["recall"] == 1
    assert found["precision"] == 0.5
    assert STABLE < 1e-6


def test_those_that_all_call_stable_are_held_against_dft(rows):
    truth = by_dft(rows)
    low = truth - np.array([0.0, 0.5, 0.0])  # poor is stable by this one
    several = compared(rows, 3, {"low": low, "right": truth}, seed=0)["all_agree"]
    alone = compared(rows, 3, {"low": low}, seed=0)["all_agree"]["all call stable"]
    assert [(one["hits"], one["n"]) for one in several.values()] == [(1, 1), (1, 1)]
    assert (alone["hits"], alone["n"]) == (1, 2)


def test_the_table_has_a_line_for_each_oracle(rows):
    content = compared(rows, 3, {"one": by_dft(rows), "other": by_dft(rows)}, seed=0)
    seconds = {name: {"static": 0.1, "relaxation": 2.0, "steps": 9.0, "ok": 3} for name in ("one", "other")}
    *lines, _, _, _, agreed, deep = text(content | {"seconds": seconds, "timed": 3}).splitlines()
    assert "3 compounds, 1 of them stable on the hull of 3 phases" in lines[0]
    assert lines[-1].startswith("| other | 0 [0, 0] | 0 [0, 0] | 1.00")
    assert lines[-1].endswith("| 0.10 | 2.0 | 1800 |")
    assert agreed == "| all call stable | 1 of 1, 100% [21, 100] |"
    assert deep.startswith("| and by the first at least 20 meV/atom | 1 of 1")


def test_an_oracle_is_named_with_its_model_and_modality():
    names = ("chgnet-0.3.0", "sevennet", "sevennet:SevenNet-0", "sevennet:SevenNet-MF-0:PBE")
    assert [oracle_of(name).name for name in names] == [
        "chgnet-0.3.0", "sevennet-l3i5-pbe", "sevennet-0-pbe", "sevennet-mf-0-pbe",
    ]  # fmt: skip
