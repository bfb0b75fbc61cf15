"""Asking a model from Python: the same numbers as the ensemble, a hull from anywhere, a scale that must fit."""

import shutil
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from pymatgen.entries.computed_entries import ComputedEntry
from untrained import DFT, rock_salt, write_ensemble

import lodestone
from lodestone.crystals.crystal import Crystal
from lodestone.ensemble.ensemble import load_ensemble
from lodestone.errors import LodestoneError
from lodestone.prediction.model import load
from lodestone.prediction.scale import Scale
from lodestone.prediction.table import COLUMNS

ENTRIES = [ComputedEntry("Na", -1.3), ComputedEntry("Cl", -1.8), ComputedEntry("NaCl", -7.0, entry_id="mp-1")]


@pytest.fixture
def hull():
    return lodestone.Hull(ENTRIES, label_method=DFT.label_method, correction_scheme=DFT.correction_scheme)


def test_predictions_are_those_of_the_ensemble(model, ensemble_folder, salt):
    crystals = [salt, rock_salt("K", "Br", 6.6)]
    table = model.predict(crystals)
    expected = load_ensemble(ensemble_folder).predict([Crystal.from_pymatgen(crystal) for crystal in crystals])
    assert list(table.columns) == list(COLUMNS)
    assert np.array_equal(table["formation_energy_per_atom_pred"], expected.mean)
    assert np.array_equal(table["formation_energy_per_atom_lower"], expected.lower)
    assert table["out_of_distribution"].to_list() == ["", "element"]
    assert table["stability_probability"].null_count() == 2  # nobody named a hull


def test_stability_is_measured_from_the_hull(model, hull, salt):
    row = model.predict(salt, hull).row(0, named=True)
    floor = hull.formation_energies([ENTRIES[2]])[0]
    assert row["energy_above_hull_pred"] == pytest.approx(row["formation_energy_per_atom_pred"] - floor, abs=1e-12)
    assert row["energy_above_hull_lower"] < row["energy_above_hull_pred"] < row["energy_above_hull_upper"]
    assert row["reaction_energy_per_atom"] == pytest.approx(-row["energy_above_hull_pred"], abs=1e-12)
    assert (row["decomposition"], row["known_as"], row["n_competing_compounds"]) == ("NaCl (mp-1)", "mp-1", 1)
    assert 0 <= row["stability_probability"] <= 1


def test_formulas_and_crystals_keep_their_order(model, hull, salt):
    table = model.predict(["Na3Cl", salt, "NaCl3"], hull)
    assert table["input_structure"].to_list() == ["formula", "relaxed", "formula"]
    assert table["formula_pretty"].to_list() == ["Na3Cl", "NaCl", "NaCl3"]
    assert table["decomposition"][0] == "2 Na + NaCl"


def test_a_hull_on_another_scale_is_refused_or_stated(model, salt):
    silent, other = lodestone.Hull(ENTRIES), lodestone.Hull(ENTRIES, label_method="chgnet-0.3.0")
    for hull in (ENTRIES, silent, other, "snapshot"):
        with pytest.raises(LodestoneError, match="the model predicts dft-pbe"):
            model.predict(salt, hull)
    assert model.predict(salt, other, across_scales=True)["energy_above_hull_pred"].null_count() == 0
    assert model.predict(salt, ENTRIES, hull_scale="dft-pbe/MP-2019-legacy")["known_as"].to_list() == ["mp-1"]


def test_one_call_loads_and_predicts(ensemble_folder, salt):
    table = lodestone.predict([salt, salt.to_ase_atoms()], model=ensemble_folder)
    energies = table["formation_energy_per_atom_pred"]
    assert energies[0] == pytest.approx(energies[1], abs=1e-6)


def test_a_bad_crystal_stops_a_program_with_its_reason(model, salt):
    salt.replace(0, {"Na": 0.5, "K": 0.5})
    with pytest.raises(LodestoneError, match="partially occupied"):
        model.predict([salt])


def test_a_campaign_is_measured_against_its_own_phases(tmp_path, known, salt):
    folder = tmp_path / "data" / "rounds" / "round_0"
    write_ensemble(folder, with_formulas=False)
    (tmp_path / "data" / "labelled").mkdir()
    (tmp_path / "data" / "labelled" / "oracle.json").write_text('{"name": "chgnet-0.3.0"}')
    known.write_parquet(folder / "crystals.parquet")
    (tmp_path / "data" / "rounds" / "round_1").mkdir()
    shutil.copy(folder / "crystals.parquet", tmp_path / "data" / "rounds" / "round_1" / "crystals.parquet")
    for place in (tmp_path, folder):
        model = load(place)
        assert model.scale == Scale("chgnet-0.3.0")
        table = model.predict([Crystal.from_pymatgen(salt)])
        assert table["energy_above_hull_pred"].null_count() == 0
    one = known.filter(pl.col("energy_above_hull") == 0, pl.col("chemsys").str.contains("-")).head(1)
    from lodestone.crystals.encoding import decode

    row = model.predict(decode(one)).row(0, named=True)
    assert (row["known_status"], row["known_as"], row["known_energy_above_hull"]) == (
        "known",
        one["material_id"][0],
        0.0,
    )


def test_a_registered_model_brings_its_hull(tmp_path, salt):
    write_ensemble(tmp_path)
    DFT.write(tmp_path)
    phases = {"material_id": ["mp-1"], "formula_pretty": ["NaCl"], "formation_energy_per_atom": [-2.1]}
    pl.DataFrame(phases).write_parquet(tmp_path / "hull.parquet")
    for hull in (None, "snapshot"):
        row = load(tmp_path).predict(salt, hull).row(0, named=True)
        assert row["energy_above_hull_pred"] == pytest.approx(row["formation_energy_per_atom_pred"] + 2.1)


def test_a_folder_without_an_ensemble_is_refused(tmp_path):
    with pytest.raises(LodestoneError, match="holds no ensemble"):
        load(tmp_path)


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys, lodestone; assert 'load' in dir(lodestone); "
        "print([name for name in ('torch', 'pymatgen', 'polars', 'numpy') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
    with pytest.raises(AttributeError):
        _ = lodestone.nothing
