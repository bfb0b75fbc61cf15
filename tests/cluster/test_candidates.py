"""Candidates as files: what is written can be computed from, and nothing is overwritten."""

import json

import numpy as np
import polars as pl
import pytest
import yaml
from chosen import CRYSTALS, ROOT
from pymatgen.core import SETTINGS, Structure
from vasp_world import make_world

from lodestone.cli.main import main
from lodestone.cluster.export import write_candidates
from lodestone.cluster.waiting import Chosen
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import reduced_formula
from lodestone.errors import LodestoneError
from lodestone.snapshot.files.structure_files import parse_structure_file
from lodestone.vasp.inputs import INPUT_SETS, input_files


def test_each_chosen_candidate_gets_a_poscar_a_cif_and_a_row(waiting, call):
    code, out, _ = call("candidates", "--round", "round_0", "--out", "jobs")
    assert code == 0
    assert "3 candidates chosen, 3 without a label" in out
    table = pl.read_csv(waiting / "jobs" / "candidates.csv")
    assert table["material_id"].to_list() == sorted(CRYSTALS)
    assert set(table["acquired_by"]) == {"model", "random"}
    assert json.loads(table["provenance"][0]) == {"parent": "mp-1, mp-2"}
    assert {path.stem for path in (waiting / "jobs" / "cifs").glob("*")} == set(CRYSTALS)


@pytest.mark.parametrize("name", CRYSTALS)
def test_the_files_hold_the_crystals(waiting, call, name):
    call("candidates", "--round", "round_0", "--out", "jobs")
    crystal, structure = CRYSTALS[name], CRYSTALS[name].to_pymatgen()
    poscar = waiting / "jobs" / name / "POSCAR"
    ours = parse_structure_file("POSCAR", poscar.read_bytes())
    assert reduced_formula(ours.atomic_numbers) == reduced_formula(crystal.atomic_numbers)
    assert len(poscar.read_text().splitlines()[5].split()) == 2  # each element once, as POTCAR wants it
    for file in (poscar, waiting / "jobs" / "cifs" / f"{name}.cif"):
        written = Structure.from_file(file)
        assert written.lattice.parameters == pytest.approx(structure.lattice.parameters)
        assert written.get_sorted_structure().matches(structure.get_sorted_structure(), scale=False)


def test_what_has_a_label_is_left_out_unless_asked_for(waiting, call):
    (waiting / "one.csv").write_text("material_id,energy_per_atom\nround_0-nacl,-3.0\n")
    call("labels", "import", "one.csv")
    call("candidates", "--round", "round_0", "--out", "jobs")
    assert sorted(path.parent.name for path in (waiting / "jobs").glob("*/POSCAR")) == ["round_0-mno", "round_0-na2o"]
    call("candidates", "--round", "round_0", "--out", "all", "--all")
    assert len(list((waiting / "all").glob("*/POSCAR"))) == 3


def test_writing_again_changes_nothing_and_another_structure_is_never_overwritten(waiting, call):
    call("candidates", "--round", "round_0", "--out", "jobs")
    poscar = waiting / "jobs" / "round_0-nacl" / "POSCAR"
    poscar.with_name("OUTCAR").write_text("results")
    before = poscar.read_text()
    assert call("candidates", "--round", "round_0", "--out", "jobs")[0] == 0
    assert (poscar.read_text(), poscar.with_name("OUTCAR").read_text()) == (before, "results")
    poscar.write_text(before.replace("0.5", "0.4"))
    code, _, err = call("candidates", "--round", "round_0", "--out", "jobs")
    assert code == 1
    assert "round_0-nacl/POSCAR holds another structure" in err
    assert poscar.read_text() != before


@pytest.mark.parametrize("input_set", INPUT_SETS)
def test_inputs_are_written_beside_each_poscar(waiting, call, monkeypatch, input_set):
    monkeypatch.delitem(SETTINGS, "PMG_VASP_PSP_DIR", raising=False)
    call("candidates", "--round", "round_0", "--out", "plain")
    code, out, _ = call("candidates", "--round", "round_0", "--out", "jobs", "--inputs", input_set)
    assert code == 0
    assert f"input files by {input_set} in a folder for each" in out
    for name, crystal in CRYSTALS.items():
        written = {file.name: file.read_text() for file in (waiting / "jobs" / name).iterdir()}
        assert written == input_files(crystal, name, INPUT_SETS[input_set])
        assert written["POSCAR"] == (waiting / "plain" / name / "POSCAR").read_text()
    assert (waiting / "jobs" / "round_0-nacl" / "POTCAR.spec").read_text() == "Na_pv\nCl\n"
    assert call("candidates", "--round", "round_0", "--out", "jobs", "--inputs", input_set)[0] == 0


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_pseudopotentials_are_written_where_there_are_some(waiting, call, monkeypatch):
    make_world(waiting, monkeypatch)
    assert call("candidates", "--round", "round_0", "--out", "jobs", "--inputs", "MPRelaxSet")[0] == 0
    assert "TITEL  = PAW_PBE Na_pv" in (waiting / "jobs" / "round_0-nacl" / "POTCAR").read_text()
    assert not list((waiting / "jobs").rglob("POTCAR.spec"))


def test_inputs_of_somebody_else_are_never_overwritten(waiting, call):
    incar = waiting / "jobs" / "round_0-nacl" / "INCAR"
    incar.parent.mkdir(parents=True)
    incar.write_text("ENCUT = 300\n")
    assert call("candidates", "--round", "round_0", "--out", "jobs")[0] == 0
    code, _, err = call("candidates", "--round", "round_0", "--out", "jobs", "--inputs", "MPRelaxSet")
    assert code == 1
    assert "round_0-nacl/INCAR holds other settings" in err
    assert incar.read_text() == "ENCUT = 300\n"
    assert not list((waiting / "jobs").rglob("KPOINTS"))


def test_an_element_without_a_pseudopotential_is_named(waiting):
    candidate = Chosen(
        round="round_0",
        is_over=False,
        row={"material_id": "po"},
        crystal=Crystal(3.35 * np.eye(3), [84], [[0, 0, 0]]),
        key="",
        label=None,
    )
    with pytest.raises(LodestoneError, match="po: MPRelaxSet has no pseudopotential for Po"):
        write_candidates([candidate], waiting / "jobs", "MPRelaxSet")
    assert not (waiting / "jobs").exists()


def test_the_command_offers_every_input_set(capsys):
    with pytest.raises(SystemExit):
        main(["candidates", "--help"])
    assert f"{{{','.join(INPUT_SETS)}}}" in capsys.readouterr().out
    assert set(INPUT_SETS) == {"MPRelaxSet", "MPScanRelaxSet"}


@pytest.mark.parametrize(
    ("name", "message"),
    [("round_9", "params.yaml has no round 'round_9'"), ("round_1", "round_1 has chosen no candidates yet")],
)
def test_a_round_that_is_not_there_is_named(waiting, call, name, message):
    code, _, err = call("candidates", "--round", name, "--out", "jobs")
    assert (code, "Traceback" in err) == (1, False)
    assert message in err


def test_candidates_of_an_oracle_that_computes_can_be_written_too(waiting, call):
    ours = yaml.safe_load((ROOT / "params.yaml").read_text()) | {"snapshot": {"source": "reference", "path": "none"}}
    (waiting / "params.yaml").write_text(yaml.safe_dump(ours))
    assert call("candidates", "--round", "round_0", "--out", "jobs")[0] == 0
    code, _, err = call("labels", "close", "--round", "round_0")
    assert code == 1
    assert "the oracle chgnet-0.3.0 computes its labels itself" in err
