"""One run of VASP: what is read, what the corrections are, and what is refused."""

import gzip

import numpy as np
import pytest
from pymatgen.entries.compatibility import MaterialsProject2020Compatibility
from vasprun_xml import NELM, NSW, vasprun_xml

from lodestone.crystals.crystal import Crystal
from lodestone.vasp.corrections import numbers_of
from lodestone.vasp.faults import MisfitError, NotConvergedError, UnreadableRunError
from lodestone.vasp.runs import corrected_run, read_run


def crystal(*numbers: int, edge: float = 4.2) -> Crystal:
    n = len(numbers)
    return Crystal(np.eye(3) * edge, numbers, [[i / n] * 3 for i in range(n)])


MNO, SALT = crystal(25, 8), crystal(11, 17)
U = {"Mn": 3.9}
RUNS = {
    "MnO": vasprun_xml(MNO, -16.0, hubbards=U),
    "NaCl": vasprun_xml(SALT, -6.8),
    "Mn": vasprun_xml(crystal(25, edge=3.0), -9.0),
    "O2": vasprun_xml(crystal(8, 8), -9.8),
}


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_corrections_are_those_of_pymatgen(name):
    content = RUNS[name].encode()
    entry = read_run(content)
    entry.parameters["run_type"] = "GGA+U" if name == "MnO" else "GGA"
    [expected] = MaterialsProject2020Compatibility().process_entries([entry])
    run = corrected_run(gzip.compress(content), "dft-pbe", "MP2020")
    assert run.energy_per_atom == pytest.approx(expected.energy_per_atom, abs=1e-9)
    assert run.energy_correction_per_atom == pytest.approx(expected.correction_per_atom, abs=1e-9)
    assert (run.energy_correction_per_atom != 0) == (name in ("MnO", "NaCl"))
    assert run.n_steps == 2


def test_without_a_scheme_nothing_is_added():
    run = corrected_run(vasprun_xml(MNO, -16.0, metagga="R2SCAN").encode(), "dft-r2scan", "none")
    assert (run.energy_per_atom, run.energy_correction_per_atom) == (pytest.approx(-8.0), 0.0)


def test_the_relaxed_crystal_counts_and_not_the_initial_one():
    run = read_run(vasprun_xml(crystal(25, edge=3.0), -9.0, initial=crystal(25, edge=3.6)).encode())
    assert run.structure.lattice.a == pytest.approx(3.0)


def test_a_small_file_that_unpacks_to_a_large_one_is_refused():
    with pytest.raises(UnreadableRunError, match="more than 256 MiB when unpacked"):
        read_run(gzip.compress(bytes(2**28 + 2**20), 1))


@pytest.mark.parametrize(
    ("content", "error", "kind", "details"),
    [
        (vasprun_xml(MNO, -16.0, hubbards=U, n_electronic=NELM), NotConvergedError, "not_converged", "electrons"),
        (vasprun_xml(MNO, -16.0, hubbards=U, n_ionic=NSW), NotConvergedError, "not_converged", "ions"),
        (RUNS["MnO"][:-800], UnreadableRunError, "unreadable", "is the run still going on?"),
        (vasprun_xml(MNO, -16.0, hubbards=U, gga="PS"), MisfitError, "does_not_fit", "PBEsol, not PBE"),
        (vasprun_xml(MNO, -16.0), MisfitError, "does_not_fit", "Invalid U value of 0.0 on Mn"),
        (vasprun_xml(SALT, -6.8, potentials={"Na": "Na_sv"}), MisfitError, "does_not_fit", "does not fit MP2020"),
    ],
)
def test_what_is_wrong_with_a_run_is_said(content, error, kind, details):
    with pytest.raises(error) as refused:
        corrected_run(content.encode(), "dft-pbe", "MP2020")
    assert refused.value.kind == kind
    assert details in refused.value.details


def test_numbers_of_a_scheme_are_those_that_its_corrections_use():
    oxides = numbers_of("MP2020")["comp_correction"]["oxide"]
    assert oxides == pytest.approx(-0.687)
    assert numbers_of("none") == {}
