"""The folder of a run: what goes on after an interruption, who may be in it, and that VASP ends with its worker."""

import gzip
import subprocess
import sys
import threading

import numpy as np
import pytest
from fake_vasp import poscar

from lodestone.crystals.crystal import Crystal
from lodestone.runtime.processes import is_running
from lodestone.vasp.folder import RunFolder
from waiting import wait_for

SALT = Crystal(4.0 * np.eye(3), [11, 17], [[0, 0, 0], [0.5] * 3])
START, LATER = poscar(SALT), poscar(Crystal(0.99 * SALT.lattice, SALT.atomic_numbers, SALT.frac_coords))
FILES = {"POSCAR": START, "INCAR": "ENCUT = 520\n"}
OVERLAP = poscar(Crystal(SALT.lattice, SALT.atomic_numbers, [[0, 0, 0], [0.01] * 3]))
OTHER = poscar(Crystal(SALT.lattice, [19, 17], SALT.frac_coords))


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "runs" / "NaCl", (".relax1", ".relax2"))


def interrupted(folder: RunFolder, **files: str) -> None:
    folder.prepare(FILES)
    for name, text in files.items():
        (folder.path / name.replace("_", ".")).write_text(text)


def test_a_new_one_gets_the_inputs(folder):
    assert folder.prepare(FILES) == 0
    assert {file.name: file.read_text() for file in folder.path.iterdir()} == FILES


def test_an_interrupted_one_goes_on_from_its_contcar_with_inputs_that_nobody_changed(folder):
    interrupted(folder, CONTCAR=LATER, INCAR="ENC", KPOINTS="other", STOPCAR="LABORT = .TRUE.", WAVECAR="cut")
    assert folder.prepare(FILES) == 0
    assert {file.name for file in folder.path.iterdir()} == {"CONTCAR", *FILES}
    assert (folder.path / "POSCAR").read_text() == (folder.path / "CONTCAR").read_text() == LATER
    assert (folder.path / "INCAR").read_text() == FILES["INCAR"]


@pytest.mark.parametrize("damaged", ["", LATER[:80], LATER.replace("0.5", "nan"), OVERLAP, OTHER, "no crystal"])
def test_a_damaged_contcar_is_passed_over(folder, damaged):
    interrupted(folder, CONTCAR=damaged)
    folder.prepare(FILES)
    assert (folder.path / "POSCAR").read_text() == START


def test_what_is_finished_is_not_begun_again(folder):
    interrupted(folder, CONTCAR="", POSCAR="", CONTCAR_relax1=LATER, vasprun_xml_relax1="done")
    assert folder.prepare(FILES) == 1
    assert (folder.path / "CONTCAR").read_text() == LATER


def test_one_without_any_sound_structure_begins_anew(folder):
    interrupted(folder, POSCAR="", vasprun_xml_relax1="", WAVECAR="old")
    assert folder.prepare(FILES) == 0
    assert {file.name for file in folder.path.iterdir()} == set(FILES)


def test_the_run_is_kept_packed_and_what_is_large_goes(folder):
    folder.prepare(FILES)
    for name in (
        "vasprun.xml.relax1",
        "vasprun.xml.relax2",
        "WAVECAR.relax1",
        "CHGCAR",
        "CHG",
        "POTCAR",
        "OUTCAR.relax2",
    ):
        (folder.path / name).write_text(name)
    assert folder.n_finished == 2
    folder.finish()
    assert gzip.decompress(folder.result.read_bytes()) == b"vasprun.xml.relax2"
    assert {file.name for file in folder.path.iterdir()} == {"vasprun.xml.gz", "OUTCAR.relax2", *FILES}


def test_a_failed_one_is_set_aside_in_place_of_the_last(folder):
    for text in ("first", "second"):
        folder.prepare(FILES)
        (folder.path / "OUTCAR").write_text(text)
        folder.set_aside()
    assert not folder.path.exists()
    assert (folder.path.with_name("NaCl.failed") / "OUTCAR").read_text() == "second"


def test_two_are_never_in_it_at_once(folder):
    inside, may_leave = threading.Event(), threading.Event()

    def enter() -> None:
        with folder.entered():
            inside.set()
            may_leave.wait()

    other = threading.Thread(target=enter)
    with folder.entered():
        other.start()
        assert not inside.wait(0.2)
    assert inside.wait(60)
    may_leave.set()
    other.join()


WORKER = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-m", "lodestone.vasp.supervisor", sys.argv[1], "bash", "-c",
    "trap '' TERM; sleep 600 & echo $! > pid.part; mv pid.part pid; wait"], start_new_session=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_vasp_ends_with_a_worker_that_is_killed_and_until_then_nobody_enters(folder, tmp_path):
    folder.path.parent.mkdir()
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(folder.running)], cwd=tmp_path)
    wait_for((tmp_path / "pid").exists)
    pid = int((tmp_path / "pid").read_text())
    assert is_running(pid)
    worker.kill()
    worker.wait()
    with folder.entered():
        assert not is_running(pid)
