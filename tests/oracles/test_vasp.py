"""VASP as an oracle, with a program in its place that reads and writes the same files."""

import os
import signal
import sys
import threading

import numpy as np
import polars as pl
import pytest
from pymatgen.core import SETTINGS
from pymatgen.entries.compatibility import MaterialsProject2020Compatibility
from vasp_world import let_workers_know, make_world

from dask_tasks import choose_dask, dask_workers
from lodestone.config.registry import ORACLES
from lodestone.crystals.crystal import Crystal
from lodestone.curation.source_scale import refuse_other_kind
from lodestone.errors import LodestoneError
from lodestone.oracles.attempt import label_one
from lodestone.oracles.pool import label_all
from lodestone.oracles.store import LabelStore, label_key
from lodestone.runtime.processes import is_running
from lodestone.snapshot.files.vasp_runs import read_runs
from lodestone.vasp.folder import RunFolder
from lodestone.vasp.inputs import INPUT_SETS
from lodestone.vasp.runs import read_run
from waiting import HANG, wait_for

SALT = Crystal(np.diag([4.0, 4.1, 4.2]), [17, 11], [[0, 0, 0], [0.5] * 3])
MNO = Crystal(np.diag([4.0, 4.2, 4.4]), [8, 25], [[0, 0, 0], [0.5] * 3])
LIMITS = {"max_volume_change": 2.0, "min_distance_ratio": 0.5}
SHRUNK = [4.0, 4.0 * 0.99]  # first edge at the start of each of two relaxations


def oracle_of(**settings):
    return ORACLES.make("vasp", ORACLES.settings("vasp", {"name": "vasp", **LIMITS, **settings}))


@pytest.fixture
def world(tmp_path, monkeypatch):
    return make_world(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"input_set": "MITRelaxSet"}, "input_set"),
        ({"incar": {"METAGGA": "SCAN"}}, "METAGGA is decided by input_set"),
        ({"incar": {"encut": 600}}, "encut: keys of INCAR are written in capitals"),
        ({"max_atoms": 0}, "max_atoms"),
        ({"fmax": 0.1}, "fmax"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        oracle_of(**settings)


def test_energies_are_called_as_those_of_the_materials_project():
    pbe, r2scan = oracle_of(), oracle_of(input_set="MPScanRelaxSet")
    assert (pbe.name, pbe.correction_scheme, pbe.static().name) == ("dft-pbe", "MP2020", "dft-pbe-static")
    assert (r2scan.name, r2scan.correction_scheme, r2scan.settings.min_energy_per_atom) == ("dft-r2scan", "none", -120)
    assert "with the corrections of MP2020" in pbe.caveat
    assert "without corrections" in r2scan.caveat
    assert "ENCUT = 600" in oracle_of(incar={"ENCUT": 600, "KPAR": 4}).caveat
    assert "KPAR" not in oracle_of(incar={"ENCUT": 600, "KPAR": 4}).caveat


def test_what_changes_an_energy_changes_the_key_and_what_is_of_the_machine_does_not(monkeypatch):
    key = label_key(oracle_of(), SALT)
    others = ({"incar": {"ENCUT": 600}}, {"input_set": "MPScanRelaxSet"}, {"max_volume_change": 1.5})
    assert len({key, *(label_key(oracle_of(**one), SALT) for one in others)}) == 4
    assert label_key(oracle_of(max_atoms=2, max_seconds=5, incar={"KPAR": 4}), SALT) == key
    assert label_key(oracle_of().static(), SALT) != key
    numbers = INPUT_SETS["MPRelaxSet"].numbers()
    monkeypatch.setattr(
        INPUT_SETS["MPRelaxSet"].maker(), "CONFIG", numbers | {"INCAR": numbers["INCAR"] | {"ENCUT": 1}}
    )
    assert label_key(oracle_of(), SALT) != key, "another pymatgen has other numbers"


def test_the_functionals_of_oracle_and_snapshot_must_be_the_same():
    snapshot = pl.DataFrame({"label_method": ["dft-pbe"], "correction_scheme": ["MP2020"]})
    refuse_other_kind(snapshot, oracle_of())
    for other in (oracle_of(input_set="MPScanRelaxSet"), oracle_of().static()):
        with pytest.raises(
            LodestoneError, match=r"the oracle gives dft-\S+ \(\w+\) and the snapshot dft-pbe \(MP2020\)"
        ):
            refuse_other_kind(snapshot, other)


@pytest.mark.parametrize("relaxes", [True, False])
def test_a_cell_that_is_too_large_is_rejected_before_anything_is_computed(world, relaxes, monkeypatch):
    oracle = oracle_of(max_atoms=1) if relaxes else oracle_of(max_atoms=1).static()
    monkeypatch.setattr(type(oracle), "one_process", True)
    with LabelStore(world.folder / "labels.sqlite") as store:
        [label] = label_all(oracle, [SALT], store, "labelling")
        assert len(store) == 0
    assert label.status == "too_large: 2 atoms, at most 1"
    assert not world.runs.exists()


@pytest.mark.slow
@pytest.mark.parametrize("input_set", INPUT_SETS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_crystal_relaxes_twice_and_gets_the_corrections_of_pymatgen(world, input_set):
    oracle = oracle_of(input_set=input_set)
    label = label_one(oracle, MNO)
    assert label.ok
    assert world.edges() == pytest.approx(SHRUNK)
    assert label.crystal.lattice == pytest.approx(0.99**2 * MNO.lattice)
    [file] = world.runs.glob("*/vasprun.xml.gz")
    entry = read_run(file.read_bytes())
    if input_set == "MPRelaxSet":
        entry.parameters["run_type"] = "GGA+U"
        [entry] = MaterialsProject2020Compatibility().process_entries([entry])
        assert entry.correction_per_atom == pytest.approx((-0.687 - 1.668) / 2)
    assert label.energy_per_atom == pytest.approx(entry.energy_per_atom, abs=1e-9)
    assert not [file for kind in ("WAVECAR", "CHG", "POTCAR") for file in world.runs.rglob(f"{kind}*")]
    table, crystals, _ = read_runs(world.runs, oracle.name, oracle.correction_scheme)
    assert table["energy_per_atom"].to_list() == [label.energy_per_atom], "as a snapshot of the same run"
    assert crystals[0].lattice == pytest.approx(label.crystal.lattice)


@pytest.mark.slow
def test_a_finished_run_is_read_and_not_computed_again(world, monkeypatch):
    first = label_one(oracle_of(), SALT)
    monkeypatch.delenv("LODESTONE_VASP")
    again = label_one(oracle_of(incar={"NCORE": 8}), SALT)
    assert (first.energy_per_atom, first.crystal.digest()) == (again.energy_per_atom, again.crystal.digest())
    assert len(world.starts()) == 2
    with pytest.raises(LodestoneError, match="LODESTONE_VASP is not set"):
        label_one(oracle_of().static(), SALT)


@pytest.mark.slow
def test_a_static_energy_is_that_of_the_crystal_as_it_is(world):
    label = label_one(oracle_of().static(), SALT)
    assert label.crystal.digest() == SALT.digest()
    assert world.edges() == [4.0]
    assert label.energy_per_atom > label_one(oracle_of(), SALT).energy_per_atom


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "status", "starts"),
    [
        ("electrons", "not_converged: electrons", 2),
        ("ions", "not_converged: ions", 2),
        ("cut", "unreadable: does not parse", 1),
        ("functional", "does_not_fit: the functional is PBEsol, not PBE", 2),
        ("fail", "vasp_failed: Max errors per job reached: 2 (edddav)", 2),
    ],
)
def test_a_run_that_goes_wrong_is_rejected_for_its_reason_and_another_try_begins_anew(
    world, monkeypatch, fault, status, starts
):
    monkeypatch.setenv("FAKE_VASP", fault)
    label = label_one(oracle_of(max_errors=2), SALT)
    assert label.status.startswith(status)
    assert not label.is_passing
    assert len(world.starts()) == starts
    if fault != "functional":
        assert [path.name for path in world.runs.glob("*.failed")]
        monkeypatch.setenv("FAKE_VASP", "good")
        assert label_one(oracle_of(max_errors=2), SALT).ok
        assert world.edges()[starts:] == pytest.approx(SHRUNK)


def test_a_relaxation_that_ends_elsewhere_is_refused(world):
    limits = {"min_energy_per_atom": -4.0}
    assert label_one(oracle_of(**limits), SALT).status == "energy_artefact"


@pytest.mark.parametrize(
    ("changes", "message", "remedy"),
    [
        ({"LODESTONE_VASP": None}, "LODESTONE_VASP is not set", "srun vasp_std"),
        ({"LODESTONE_VASP": "no_such_program"}, "there is no program no_such_program", "srun vasp_std"),
        ({"FAKE_VASP": "silent"}, "no OUTCAR in .*: vasp_std: error while loading shared libraries", "by hand"),
    ],
)
def test_a_vasp_that_does_not_run_stops_the_campaign(world, monkeypatch, changes, message, remedy):
    for name, value in changes.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    with pytest.raises(LodestoneError, match=message) as refused:
        label_one(oracle_of(), SALT)
    assert remedy in refused.value.remedy


def test_missing_pseudopotentials_and_a_missing_custodian_stop_the_campaign(world, monkeypatch):
    monkeypatch.setitem(sys.modules, "custodian", None)
    with pytest.raises(LodestoneError, match="needs the package custodian") as refused:
        label_one(oracle_of(), SALT)
    assert "lodestone-materials[vasp]" in refused.value.remedy
    monkeypatch.delitem(SETTINGS, "PMG_VASP_PSP_DIR")
    with pytest.raises(LodestoneError, match="does not know where they are"):
        label_one(oracle_of(), SALT)
    assert not world.starts()


def ring_when_it_hangs(world) -> None:
    """As the clock of the time limit does, but when VASP hangs and not when a machine is slow."""
    wait_for(lambda: [pids for pids in world.runs.glob("*/pids") if len(pids.read_text().split()) == 2])
    os.kill(os.getpid(), signal.SIGALRM)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["hang", "hang_2"])
def test_vasp_ends_with_the_time_and_the_next_try_goes_on(world, monkeypatch, fault):
    monkeypatch.setenv("FAKE_VASP", fault)
    clock = threading.Thread(target=ring_when_it_hangs, args=(world,))
    clock.start()
    label = label_one(oracle_of(max_seconds=HANG), SALT)
    clock.join()
    assert label.status == "timed_out"
    assert label.is_passing
    [pids] = world.runs.glob("*/pids")
    wait_for(lambda: not any(is_running(int(pid)) for pid in pids.read_text().split()))
    monkeypatch.setenv("FAKE_VASP", "good")
    assert label_one(oracle_of(), SALT).ok
    assert world.edges() == pytest.approx([4.0, 3.96, 3.9204], abs=1e-4), "nothing is computed twice"


@pytest.mark.slow
@pytest.mark.parametrize("relaxes", [True, False])
def test_a_run_that_ended_before_it_was_packed_is_not_repeated(world, monkeypatch, relaxes):
    oracle = oracle_of() if relaxes else oracle_of().static()
    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "finish", lambda _: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            label_one(oracle, SALT)
    starts = world.starts()
    assert label_one(oracle, SALT).ok
    assert world.starts() == starts


@pytest.mark.slow
@pytest.mark.parametrize("where", ["here", "dask"])
def test_each_core_and_each_dask_worker_runs_a_vasp_of_its_own(world, monkeypatch, where):
    let_workers_know(monkeypatch)
    with LabelStore(world.folder / "labels.sqlite") as store:
        if where == "here":
            labels = label_all(oracle_of(), [SALT, MNO, SALT], store, "test")
        else:
            with dask_workers(n=2) as cluster:
                choose_dask(monkeypatch, cluster.scheduler_address)
                labels = label_all(oracle_of(), [SALT, MNO, SALT], store, "test")
        assert len(store) == 2
    assert [label.ok for label in labels] == [True] * 3
    assert len(world.starts()) == 4
    assert len(list(world.runs.glob("*/vasprun.xml.gz"))) == 2


def test_runs_lie_beside_the_label_store_unless_said_otherwise(world, monkeypatch):
    monkeypatch.delenv("LODESTONE_VASP_RUNS")
    monkeypatch.setenv("LODESTONE_LABELS", str(world.folder / "elsewhere" / "labels.sqlite"))
    monkeypatch.setenv("FAKE_VASP", "cut")
    label_one(oracle_of().static(), SALT)
    assert list((world.folder / "elsewhere" / "vasp").glob("NaCl-*.failed"))
