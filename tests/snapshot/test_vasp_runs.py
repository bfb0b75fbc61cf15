"""Runs of VASP as a snapshot: what is read, what is corrected, and what is refused, with the reason."""

import gzip

import numpy as np
import polars as pl
import pytest
import structure_sets as sets
from snapshot_rows import file_params
from vasprun_xml import NELM, NSW, vasprun_xml

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import decode
from lodestone.errors import LodestoneError
from lodestone.snapshot.files.vasp_runs import is_vasprun, read_runs
from lodestone.snapshot.take import take_snapshot

OXIDE = -0.687  # eV for each O of an oxide, by MP2020
MIXING = -1.668  # eV for each Mn with a U beside O
U = {"Mn": 3.9}


def crystal(*numbers: int, edge: float = 4.2) -> Crystal:
    n = len(numbers)
    return Crystal(np.eye(3) * edge, numbers, [[i / n] * 3 for i in range(n)])


MNO, MN, O2 = crystal(25, 8), crystal(25, edge=3.0), crystal(8, 8)
RUNS = {
    "MnO/vasprun.xml": vasprun_xml(MNO, -16.0, hubbards=U),
    "Mn/vasprun.xml": vasprun_xml(MN, -9.0),
    "molecules/O2/vasprun.xml": vasprun_xml(O2, -9.8),
}


def params(path, scheme="MP2020", method="dft-pbe"):
    return file_params(path).model_copy(update={"correction_scheme": scheme, "label_method": method})


def snapshot(path, **labels) -> tuple[dict[str, dict], dict[str, str]]:
    """Rows by identifier, and reasons of those that were refused."""
    table, rejections, _ = take_snapshot(params(path, **labels), seed=1)
    return {row["material_id"]: row for row in table.iter_rows(named=True)}, dict(
        rejections.select("material_id", "reason").iter_rows()
    )


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("vasprun.xml", True),
        ("a/b/vasprun.xml.gz", True),
        ("vasprun.xml.relax2.gz", True),
        ("vasprun_static.xml", True),
        ("vasprun.txt", False),
        ("OUTCAR", False),
        ("my_vasprun.xml", False),
    ],
)
def test_runs_are_known_by_their_name(name, holds):
    assert is_vasprun(name) == holds


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_a_folder_of_runs_becomes_a_snapshot_with_corrected_energies(tmp_path, packed):
    write = sets.write_zip if packed else sets.write_folder
    path = write(tmp_path / ("runs.zip" if packed else "runs"), RUNS | {"MnO/WAVECAR": "large", "MnO/POSCAR": "x"})
    rows, rejected = snapshot(path)
    assert (rows.keys(), rejected) == ({"MnO", "Mn", "molecules/O2"}, {})
    oxide = rows["MnO"]
    assert oxide["uncorrected_energy_per_atom"] == pytest.approx(-8.0)
    assert oxide["energy_correction_per_atom"] == pytest.approx((OXIDE + MIXING) / 2)
    assert oxide["energy_per_atom"] == pytest.approx(-8.0 + (OXIDE + MIXING) / 2)
    assert oxide["formation_energy_per_atom"] == pytest.approx(oxide["energy_per_atom"] - (-9.0 - 4.9) / 2)
    assert rows["Mn"]["energy_correction_per_atom"] == rows["molecules/O2"]["energy_correction_per_atom"] == 0
    (relaxed,) = decode(pl.DataFrame([oxide], schema_overrides={"atomic_numbers": pl.List(pl.UInt8)}))
    assert relaxed.lattice == pytest.approx(MNO.lattice)
    assert relaxed.frac_coords == pytest.approx(MNO.frac_coords)


def test_without_corrections_energies_stay_as_vasp_gave_them(tmp_path):
    rows, _ = snapshot(sets.write_folder(tmp_path / "runs", RUNS), scheme="none")
    assert rows["MnO"]["energy_per_atom"] == rows["MnO"]["uncorrected_energy_per_atom"] == pytest.approx(-8.0)


@pytest.mark.parametrize(
    "names", [("vasprun.xml.relax2.gz", "vasprun.xml.relax10.gz"), ("vasprun.xml.relax2.gz", "vasprun.xml.gz")]
)
def test_the_last_run_of_a_folder_counts(tmp_path, names):
    runs = [gzip.compress(vasprun_xml(MN, energy).encode()) for energy in (-8.0, -9.0)]
    files = {f"Mn/{name}": run for name, run in zip(names, runs, strict=True)}
    table, _, _ = read_runs(sets.write_folder(tmp_path / "runs", files), "dft-pbe", "none")
    assert table.rows() == [("Mn", -9.0, -9.0, 0.0)]


def test_a_single_run_is_named_by_its_folder(tmp_path):
    path = sets.write_folder(tmp_path / "Mn_bcc", {"vasprun.xml": RUNS["Mn/vasprun.xml"]}) / "vasprun.xml"
    for of in (path, path.parent):
        assert snapshot(of)[0].keys() == {"Mn_bcc"}


CUT = RUNS["MnO/vasprun.xml"][:-800]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (vasprun_xml(MNO, -16.0, hubbards=U, n_electronic=NELM), "is not converged (electrons): continue the run"),
        (vasprun_xml(MNO, -16.0, hubbards=U, n_ionic=NSW), "is not converged (ions): continue the run"),
        (CUT, "is the run still going on?"),
        ("", "is the run still going on?"),
        ("<modeling></modeling>", "is the run still going on?"),
        (gzip.compress(CUT.encode())[:-30], "is damaged: "),
        ('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>', "declares a type of its own"),
        (vasprun_xml(MNO, -16.0, hubbards=U, gga="PS"), "the functional is PBEsol, not PBE"),
        (vasprun_xml(MNO, -16.0, metagga="R2SCAN"), "the functional is r2SCAN, not PBE"),
        (vasprun_xml(MNO, -16.0, potential="PAW"), "the functional is that of PAW Mn_pv"),
        (vasprun_xml(MNO, -16.0), "does not fit MP2020: Invalid U value of 0.0 on Mn, expected 3.9"),
        (vasprun_xml(MNO, -16.0, hubbards={"Mn": 5.0}), "does not fit MP2020: Invalid U value of 5.0 on Mn"),
    ],
)
def test_a_run_that_cannot_be_believed_is_refused_with_its_reason(tmp_path, content, reason):
    path = sets.write_folder(tmp_path / "runs", RUNS | {"bad/vasprun.xml": content})
    rows, rejected = snapshot(path)
    assert rows.keys() == {"MnO", "Mn", "molecules/O2"}
    assert rejected.keys() == {"bad"}
    assert reason in rejected["bad"]
    assert rejected["bad"].startswith("bad/vasprun.xml ")


def test_pbe_that_the_input_names_is_pbe(tmp_path):
    named = {"MnO/vasprun.xml": vasprun_xml(MNO, -16.0, hubbards=U, gga="PE")}
    rows, rejected = snapshot(sets.write_folder(tmp_path / "runs", RUNS | named))
    assert not rejected
    assert rows["MnO"]["energy_correction_per_atom"] == pytest.approx((OXIDE + MIXING) / 2)


def test_a_scheme_that_pymatgen_does_not_know_is_refused(tmp_path):
    path = sets.write_folder(tmp_path / "runs", RUNS)
    with pytest.raises(LodestoneError, match="'house rules' is none that pymatgen could apply"):
        take_snapshot(params(path, scheme="house rules"), seed=1)


def test_a_method_without_a_functional_cannot_be_compared(tmp_path):
    with pytest.raises(LodestoneError, match="names no functional"):
        take_snapshot(params(sets.write_folder(tmp_path / "runs", RUNS), method="my group"), seed=1)


def test_a_table_of_energies_goes_before_the_runs_beside_it(tmp_path):
    path = sets.write_folder(tmp_path / "folder", sets.folder_files() | {"nested/mp-4/vasprun.xml": "no run"})
    table, _, _ = take_snapshot(file_params(path), seed=1)
    assert set(table["material_id"]) == set(sets.TOTALS)
