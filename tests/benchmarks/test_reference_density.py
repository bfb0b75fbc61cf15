"""Which stable formulas a reference set holds."""

import polars as pl
import pytest

from lodestone.errors import LodestoneError
from reference_density import elements_of, reach, report, share, stable_formulas


@pytest.fixture
def folder(tmp_path):
    formulas = ["NaCl", "NaCl", "Na2Cl", "CsCl", "NaClO3", "NaMg", "Na"]
    rows = {
        "formula": formulas,
        "chemsys": ["Cl-Na", "Cl-Na", "Cl-Na", "Cl-Cs", "Cl-Na-O", "Mg-Na", "Na"],
        "energy_above_hull": [0.0, 0.1, 0.2, 0.0, 0.0, 0.0, 0.0],
    }
    pl.DataFrame(rows).write_parquet(tmp_path / "mp_energies.parquet")
    return tmp_path


def test_only_formulas_on_the_hull_of_known_elements_count(folder):
    stable = stable_formulas(folder, {"Na", "Cl", "O", "Mg"})
    assert stable.sort("formula")["formula"].to_list() == ["Na", "NaCl", "NaClO3", "NaMg"]
    assert dict(stable.select("formula", "has_anion").iter_rows())["NaMg"] is False
    assert dict(stable.select("formula", "n_elements").iter_rows())["NaClO3"] == 3


def test_each_share_has_its_n_and_interval(folder):
    stable = stable_formulas(folder, {"Na", "Cl", "O", "Mg"})
    lines = report(stable, {"held": {"NaCl"}}).splitlines()
    assert lines[1].split()[:5] == ["binaries", "2", "1", "=", "50.0%"]
    assert "(9.5% to 90.5%)" in lines[1]
    assert lines[-1].split()[-1] == "-"  # no quaternary, no share
    assert share(pl.Series(["A"]), set()).startswith("0 = 0.0%")


def test_what_can_be_reached_is_named_as_pymatgen_names_it():
    formulas = reach({"Ca", "Cl", "F", "Li", "O", "Ti"})
    assert {"CaTiO3", "CaF2", "CaCl2", "LiF", "Ti2O3", "CaClF"} <= formulas


def test_elements_of_a_table():
    assert elements_of(pl.DataFrame({"chemsys": ["Cl-Na", "Na", "O"]})) == {"Cl", "Na", "O"}


def test_a_folder_without_the_file_is_named(tmp_path):
    with pytest.raises(LodestoneError, match=r"mp_energies\.parquet does not exist"):
        stable_formulas(tmp_path, {"Na"})
