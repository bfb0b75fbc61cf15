"""Results in every format: what is taken, what is refused and why, and that nothing is lost."""

import gzip
import json

import numpy as np
import pytest
from chosen import CRYSTALS, KIND
from pymatgen.core.entries import ComputedStructureEntry, ManualEnergyAdjustment
from pymatgen.entries.compatibility import MaterialsProject2020Compatibility
from vasprun_xml import NELM, vasprun_xml

from lodestone.cluster.campaign import opened_rounds
from lodestone.cluster.results import Kind, read_results
from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError, WaitingError
from lodestone.oracles.base import Label
from lodestone.oracles.pool import label_all

U = {"Mn": 3.9}
MNO = -16.0  # eV for the cell, by VASP
CORRECTED = (MNO - 0.687 - 1.668) / 2  # eV/atom, by MP2020
RELAXED = Crystal(4.1 * np.eye(3), [25, 8], [[0, 0, 0], [0.5, 0.5, 0.5]])


def labels() -> dict[str, Label | None]:
    with opened_rounds() as opened:
        return {candidate.material_id: candidate.label for candidate in opened.chosen}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def entry(*, name="round_0-mno", crystal=RELAXED, energy=MNO, scheme=None, **parameters) -> dict:
    computed = ComputedStructureEntry(
        crystal.to_pymatgen(),
        energy,
        entry_id=name,
        parameters={"run_type": "GGA+U", "hubbards": U, "potcar_symbols": ["PBE Mn_pv", "PBE O"]} | parameters,
    )
    if scheme is not None:
        computed = scheme.process_entry(computed)
    return json.loads(json.dumps(computed.as_dict()))


def test_a_folder_of_runs_is_imported_as_it_was_written(waiting, call):
    call("candidates", "--round", "round_0", "--out", "jobs")
    write(waiting / "jobs" / "round_0-mno" / "vasprun.xml", vasprun_xml(RELAXED, MNO, hubbards=U))
    nested = waiting / "jobs" / "round_0-nacl" / "relax2" / "vasprun.xml.gz"
    salt = CRYSTALS["round_0-nacl"]
    write(nested, gzip.compress(vasprun_xml(salt, -7.0).encode()))
    code, out, err = call("labels", "import", "jobs")
    assert code == 0
    assert "not taken" not in err
    assert "2 labels imported; 1 candidates still wait." in out
    stored = labels()
    assert stored["round_0-na2o"] is None
    assert stored["round_0-mno"].energy_per_atom == pytest.approx(CORRECTED)
    assert stored["round_0-mno"].crystal.lattice == pytest.approx(RELAXED.lattice)
    assert stored["round_0-nacl"].energy_per_atom == pytest.approx((-7.0 - 0.614) / 2)


def test_a_single_run_is_of_the_candidate_whose_folder_it_lies_in(waiting, call):
    file = write(waiting / "round_0-mno" / "vasprun.xml", vasprun_xml(RELAXED, MNO, hubbards=U))
    assert call("labels", "import", file)[0] == 0
    assert labels()["round_0-mno"].energy_per_atom == pytest.approx(CORRECTED)


@pytest.mark.parametrize("scheme", [None, MaterialsProject2020Compatibility()], ids=["bare", "corrected"])
def test_entries_are_corrected_by_the_scheme_or_state_that_they_are(waiting, call, scheme):
    write(waiting / "entries.json", json.dumps([entry(scheme=scheme)]))
    assert call("labels", "import", "entries.json")[0] == 0
    assert labels()["round_0-mno"].energy_per_atom == pytest.approx(CORRECTED)


def test_csv_gives_energies_on_the_scale_of_the_snapshot_and_verdicts(waiting, call):
    write(
        waiting / "energies.csv",
        "material_id, energy_per_atom, status, label_method\nround_0-mno,-9.5,,dft-pbe\nround_0-nacl,,not_converged,\n",
    )
    code, out, _ = call("labels", "import", "energies.csv")
    assert code == 0
    assert "1 came without a crystal" in out
    stored = labels()
    assert stored["round_0-mno"].energy_per_atom == -9.5
    assert stored["round_0-mno"].crystal.lattice == pytest.approx(CRYSTALS["round_0-mno"].lattice)
    assert (stored["round_0-nacl"].status, stored["round_0-nacl"].ok) == ("not_converged", False)


def test_a_folder_of_structures_with_their_energies(waiting, call):
    call("candidates", "--round", "round_0", "--out", "jobs")
    write(waiting / "jobs" / "energies.csv", "material_id,file,energy_per_atom\nround_0-mno,round_0-mno/POSCAR,-9.0\n")
    assert call("labels", "import", "jobs")[0] == 0
    assert labels()["round_0-mno"].energy_per_atom == -9.0


GGA = {"hubbards": {}, "run_type": "GGA"}
MANUAL = ManualEnergyAdjustment(-0.5).as_dict() | {"cls": None}
LEGACY = ManualEnergyAdjustment(-0.5).as_dict() | {"cls": {"@class": "MaterialsProjectCompatibility"}}


SALT = entry(crystal=CRYSTALS["round_0-nacl"], **GGA, potcar_symbols=["PBE Na_pv", "PBE Cl"])
RUN = "round_0-mno/vasprun.xml"


def adjusted(adjustment: dict) -> dict:
    return entry() | {"energy_adjustments": [adjustment], "correction": -0.5}


def energies(*columns: str, energy: str = "-8.0", row: str = "") -> str:
    return f"{','.join(('material_id', 'energy_per_atom', *columns))}\nround_0-mno,{energy}{row}\n"


def run(**settings: object) -> str:
    return vasprun_xml(RELAXED, MNO, hubbards=U, **settings)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", [entry(run_type="PBEsol+U")], "the functional is PBEsol, not PBE"),
        ("a.json", [entry(run_type="R2SCAN")], "the functional is r2SCAN, not PBE"),
        ("a.json", [entry(potcar_symbols=["LDA Mn", "LDA O"])], "the functional is that of LDA Mn"),
        ("a.json", [entry(**GGA)], "does not fit MP2020: Invalid U value of 0.0 on Mn, expected 3.9"),
        ("a.json", [entry(potcar_symbols=["PBE Mn_sv", "PBE O"])], "does not fit MP2020: Incompatible POTCAR"),
        ("a.json", [adjusted(LEGACY)], "MaterialsProjectCompatibility, not of MP2020"),
        ("a.json", [adjusted(MANUAL)], "its correction of -0.250 eV/atom should be -1.177 by MP2020"),
        ("a.json", [SALT], "is a crystal of NaCl, but round_0-mno is MnO"),
        ("a.json", [entry(name="mp-1")], "is no candidate that a round has chosen"),
        ("a.json", [entry(name="round_0-other")], "is no candidate that a round has chosen"),
        ("a.json", [entry(), entry(energy=-15.0)], "is one of several results for round_0-mno"),
        ("a.json", [{"entry_id": "round_0-mno"}], "no structure"),
        ("a.csv", energies(energy="low"), "energy_per_atom is 'low'; a number is expected"),
        ("a.csv", energies(energy="nan"), "has no energy_per_atom"),
        ("a.csv", energies(energy="-16.0"), "outside -6.0 to 5.0: looks like eV per cell; divide by the number of"),
        ("a.csv", energies(energy="99"), "has a formation energy of 105.000 eV/atom, outside -6.0 to 5.0"),
        ("a.csv", energies(energy=""), "energy_per_atom is ''"),
        ("a.csv", energies("status", row=",failed"), "has both a status and an energy"),
        ("a.csv", energies("correction_scheme", row=",none"), "correction_scheme is none, not MP2020"),
        ("a.csv", energies("label_method", row=",dft-r2scan"), "label_method is dft-r2scan, not dft-pbe"),
        (RUN, run(gga="PS"), "the functional is PBEsol, not PBE"),
        (RUN, run(n_electronic=NELM), "is not converged (electrons)"),
        (RUN, run()[:-99], "is the run still going on?"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_reason_and_still_waits(waiting, call, name, content, message):
    path = write(waiting / name, content if isinstance(content, str) else json.dumps(content))
    code, out, err = call("labels", "import", path)
    assert code == 1
    assert "0 labels imported; 3 candidates still wait." in out
    assert message in err
    assert "Traceback" not in err
    assert set(labels().values()) == {None}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nothing.json", None, "nothing.json does not exist"),
        ("a.txt", "?", "a.txt is of no format that labels are read from"),
        ("a.csv", "id,energy\n1,2\n", "a.csv has no column material_id; it has id, energy"),
        ("a.csv", "", "a.csv has no column material_id; it has no rows"),
        ("a.csv", b"\xff\xfe\x00", "a.csv is no CSV in UTF-8"),
        ("a.json", "{}", "a.json is no JSON list"),
        ("a.json", "[{", "a.json, entry 1"),
    ],
)
def test_files_that_hold_no_results_are_named(waiting, call, name, content, message):
    if content is not None:
        write(waiting / name, content)
    code, _, err = call("labels", "import", name)
    assert (code, "Traceback" in err) == (1, False)
    assert message in err


def test_good_results_are_kept_beside_bad_ones(waiting, call):
    write(waiting / "a.json", json.dumps([entry(), entry(name="mp-1")]))
    code, out, err = call("labels", "import", "a.json")
    assert (code, "1 labels imported" in out) == (0, True)
    assert "a.json): is no candidate that a round has chosen" in err


def test_a_label_is_replaced_on_demand_only(waiting, call):
    write(waiting / "one.csv", "material_id,energy_per_atom\nround_0-mno,-8.0\n")
    write(waiting / "two.csv", "material_id,energy_per_atom\nround_0-mno,-9.0\n")
    call("labels", "import", "one.csv")
    assert "0 labels imported, 1 known already" in call("labels", "import", "one.csv")[1]
    code, _, err = call("labels", "import", "two.csv")
    assert code == 1
    assert "has another label already; --replace takes this one" in err
    assert labels()["round_0-mno"].energy_per_atom == -8.0
    assert call("labels", "import", "--replace", "two.csv")[0] == 0
    assert labels()["round_0-mno"].energy_per_atom == -9.0


def test_a_round_is_closed_and_what_comes_late_replaces_the_verdict(waiting, call):
    write(waiting / "one.csv", "material_id,energy_per_atom\nround_0-mno,-8.0\n")
    call("labels", "import", "one.csv")
    assert "2 candidates without a label count as not computed" in call("labels", "close", "--round", "round_0")[1]
    assert {name: label.status for name, label in labels().items()} == {
        "round_0-mno": "ok",
        "round_0-nacl": "not_computed",
        "round_0-na2o": "not_computed",
    }
    write(waiting / "late.csv", "material_id,energy_per_atom\nround_0-nacl,-3.0\n")
    assert call("labels", "import", "late.csv")[0] == 0
    assert labels()["round_0-nacl"].ok


def test_a_round_that_has_gone_on_is_named(waiting, call):
    (waiting / "data" / "rounds" / "round_0" / "verifications.parquet").touch()
    write(waiting / "late.csv", "material_id,energy_per_atom\nround_0-mno,-8.0\n")
    _, out, _ = call("labels", "import", "late.csv")
    assert "round_0 has gone on without them: lodestone discover --force active_learning@round_0" in out


def test_the_round_finds_what_was_imported_and_waits_for_the_rest(waiting, call):
    write(waiting / "a.json", json.dumps([entry()]))
    call("labels", "import", "a.json")
    with opened_rounds() as opened:
        crystals = [candidate.crystal for candidate in opened.chosen]
        with pytest.raises(WaitingError, match="labels of 2 crystals"):
            label_all(opened.oracle, crystals, opened.store, "")
        (label,) = label_all(opened.oracle, [CRYSTALS["round_0-mno"]], opened.store, "")
    assert label.energy_per_atom == pytest.approx(CORRECTED)


def test_labels_of_another_scheme_are_other_labels(waiting, call):
    write(waiting / "one.csv", "material_id,energy_per_atom\nround_0-mno,-8.0\n")
    call("labels", "import", "one.csv")
    params = (waiting / "params.yaml").read_text()
    (waiting / "params.yaml").write_text(params.replace("MP2020", "none"))
    assert labels()["round_0-mno"] is None


def test_before_any_round_there_is_nothing_to_import(waiting, call):
    (waiting / "data" / "rounds" / "round_0" / "candidates.parquet").unlink()
    code, _, err = call("labels", "import", "a.csv")
    assert code == 1
    assert "no round has chosen candidates yet" in err


def test_a_scheme_that_pymatgen_does_not_know_takes_tables_only(waiting):
    kind = Kind("dft-pbe", "house rules")
    file = write(waiting / "round_0-mno" / "vasprun.xml", vasprun_xml(RELAXED, MNO, hubbards=U))
    for path in (file, write(waiting / "a.json", json.dumps([entry()]))):
        with pytest.raises(LodestoneError, match="'house rules' is none that pymatgen could apply"):
            list(read_results(path, kind))
    table = write(waiting / "a.csv", "material_id,energy_per_atom\nround_0-mno,-8.0\n")
    assert [result.energy_per_atom for result in read_results(table, kind)] == [-8.0]
    assert kind.label_method == KIND["label_method"]
