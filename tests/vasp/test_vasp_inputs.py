"""Input files of VASP: those of pymatgen's input sets, to the letter."""

import numpy as np
import pytest
from pymatgen.core import SETTINGS
from pymatgen.io.vasp import Incar, Kpoints, Poscar, Potcar, sets
from vasp_world import make_world

from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.vasp.faults import MisfitError
from lodestone.vasp.inputs import INPUT_SETS, input_files, require_potentials

MNO = Crystal(np.diag([4.0, 4.2, 4.4]), [8, 25, 8, 25], [[0, 0, 0], [0.5] * 3, [0.25] * 3, [0.75] * 3])
pytestmark = pytest.mark.filterwarnings("ignore")  # of pymatgen, about pseudopotentials that it does not know


@pytest.fixture
def bare(monkeypatch):
    monkeypatch.delitem(SETTINGS, "PMG_VASP_PSP_DIR", raising=False)


@pytest.mark.parametrize("relaxes", [True, False])
@pytest.mark.parametrize("name", INPUT_SETS)
def test_files_read_back_are_the_input_set(tmp_path, monkeypatch, name, relaxes):
    make_world(tmp_path, monkeypatch)
    chosen = INPUT_SETS[name]
    structure = MNO.to_pymatgen().get_sorted_structure()
    expected = getattr(sets, chosen.relaxing if relaxes else chosen.static)(structure)
    files = input_files(MNO, "salt", chosen, relaxes=relaxes)
    assert Incar.from_str(files["INCAR"]) == Incar.from_str(str(expected.incar))
    assert (Incar.from_str(files["INCAR"])["NSW"] == 0) != relaxes
    if expected.kpoints is None:
        assert "KPOINTS" not in files
    else:
        assert Kpoints.from_str(files["KPOINTS"]).kpts == expected.kpoints.kpts
    read = Poscar.from_str(files["POSCAR"])
    assert read.site_symbols == ["Mn", "O"]
    assert read.structure.matches(structure, scale=False)
    assert [single.symbol for single in Potcar.from_str(files["POTCAR"])] == ["Mn_pv", "O"]
    assert "POTCAR.spec" not in files


def test_overrides_stand_in_the_incar(bare):
    incar = Incar.from_str(input_files(MNO, "", INPUT_SETS["MPRelaxSet"], incar={"ENCUT": 600, "KPAR": 4})["INCAR"])
    assert (incar["ENCUT"], incar["KPAR"], incar["EDIFF"]) == (600, 4, pytest.approx(2e-4))


def test_without_pseudopotentials_their_names_are_written(bare):
    files = input_files(MNO, "", INPUT_SETS["MPRelaxSet"])
    assert files["POTCAR.spec"] == "Mn_pv\nO\n"
    assert "POTCAR" not in files
    with pytest.raises(LodestoneError, match="pymatgen does not know where they are"):
        require_potentials()


def test_an_element_that_the_input_set_does_not_know_does_not_fit(bare):
    polonium = Crystal(3.35 * np.eye(3), [84], [[0, 0, 0]])
    with pytest.raises(MisfitError, match="MPRelaxSet has no pseudopotential for Po"):
        input_files(polonium, "", INPUT_SETS["MPRelaxSet"])


def test_a_pseudopotential_that_is_not_there_is_named(tmp_path, monkeypatch):
    make_world(tmp_path, monkeypatch)
    (tmp_path / "potentials" / "POT_GGA_PAW_PBE" / "POTCAR.Mn_pv").unlink()
    with pytest.raises(LodestoneError, match="symbol='Mn_pv'") as refused:
        input_files(MNO, "", INPUT_SETS["MPRelaxSet"])
    assert "PMG_VASP_PSP_DIR" in refused.value.remedy


def test_each_input_set_has_numbers_of_its_own():
    first, second = (one.numbers() for one in INPUT_SETS.values())
    assert first["INCAR"]["ENCUT"] == 520
    assert second["INCAR"]["ENCUT"] == 680
