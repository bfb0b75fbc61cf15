"""Any calculator of ASE: known metals by EMT, names that no two calculators share, faults with their reasons."""

import re
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from lodestone.config.load import parse_params
from lodestone.config.registry import ORACLES
from lodestone.crystals.crystal import Crystal
from lodestone.curation.source_scale import keep_labels
from lodestone.errors import LodestoneError
from lodestone.oracles.attempt import label_one
from lodestone.oracles.calculators.imported import calculator_of
from lodestone.oracles.pool import label_all
from lodestone.oracles.registry import as_is
from lodestone.oracles.store import LabelStore, label_key

FCC = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
EMT = {
    "name": "ase",
    "calculator": "ase.calculators.emt:EMT",
    "functional": "none",
    "correction_scheme": "none",
    "fmax": 0.02,
    "max_steps": 100,
    "max_volume_change": 2.0,
    "min_distance_ratio": 0.5,
    "min_energy_per_atom": -15.0,
}


def emt(**settings):
    content = EMT | settings
    return ORACLES.make("ase", ORACLES.settings("ase", content))


def faulty(what: str):
    return emt(calculator="fake_calculators.Faulty", arguments={"what": what})


def metal(number: int = 29, edge: float = 3.8) -> Crystal:
    return Crystal(np.eye(3) * edge, [number] * 4, FCC)


@pytest.fixture(scope="module")
def copper():
    return label_one(emt(), metal())


def test_copper_relaxes_to_the_edge_that_emt_gives_it(copper):
    assert copper.ok
    assert np.linalg.norm(copper.crystal.lattice, axis=1) == pytest.approx([3.59] * 3, abs=0.02)
    assert copper.energy_per_atom == pytest.approx(-0.006, abs=0.003)
    assert 0 < copper.n_steps < 50


def test_a_crystal_as_it_is_has_a_label_of_its_own(copper):
    oracle = emt()
    static = as_is(oracle)
    assert static.name == f"{oracle.name}-static"
    assert label_key(static, metal()) != label_key(oracle, metal())
    assert label_key(static, metal()) == label_key(emt(fmax=0.1).static(), metal())
    start = label_one(static, metal())
    assert start.energy_per_atom > copper.energy_per_atom + 0.01
    assert start.crystal.digest() == metal().digest()
    assert label_one(static, copper.crystal).energy_per_atom == pytest.approx(copper.energy_per_atom, abs=1e-9)


def test_a_function_gives_a_calculator_and_arguments_reach_it():
    lennard_jones = {"calculator": "ase.calculators.lj.LennardJones", "fmax": 1e-4}
    weak, strong = (
        label_one(emt(**lennard_jones, arguments={"sigma": 2.3, "rc": 9.0, "epsilon": depth}).static(), metal())
        for depth in (0.1, 0.3)
    )
    assert strong.energy_per_atom == pytest.approx(3 * weak.energy_per_atom)
    assert weak.energy_per_atom < 0


def test_no_two_calculators_bear_one_name(tmp_path):
    files = [tmp_path / name for name in ("a", "b", "copy_of_a")]
    for file, content in zip(files, ("weights 1", "weights 2", "weights 1"), strict=True):
        file.write_text(content)
    first, other, same = (emt(calculator="fake_calculators:of_file", arguments={"path": str(file)}) for file in files)
    assert first.name == same.name
    assert label_key(first, metal()) == label_key(same, metal())
    pinned = emt(packages=[f"ase=={version('ase')}"])
    several = [first, other, emt(), emt(arguments={"asap_cutoff": True}), emt(model="emt-2"), pinned]
    assert len({oracle.name for oracle in several}) == len(several)
    assert re.fullmatch("ase-emt-[0-9a-f]{8}", emt().name)
    assert emt(model="mine").name.startswith("ase-mine-")
    assert all(oracle.name in oracle.caveat for oracle in several)
    assert "ase.calculators.emt:EMT" in emt().caveat


def test_what_changes_no_number_changes_no_label_and_what_does_does():
    key = label_key(emt(), metal())
    assert label_key(emt(functional="PBE", correction_scheme="MP2020", one_process=True), metal()) == key
    assert label_key(emt(fmax=0.1), metal()) != key
    assert emt(fmax=0.1).name == emt().name
    assert emt().versions.keys() == {"ase", "numpy"}
    assert emt(one_process=True).one_process


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("raises", "failed: ArithmeticError: the density does not converge"),
        ("energy", "not_finite"),
        ("forces", "not_finite"),
        ("stress", "not_finite"),
        ("memory", "out_of_memory"),
    ],
)
def test_a_calculator_that_fails_gives_a_label_with_the_reason(what, reason):
    assert label_one(faulty(what), metal()).status == reason


@pytest.mark.parametrize(("what", "reason"), [("raises", "failed: ArithmeticError"), ("energy", "not_finite")])
def test_so_it_does_for_a_crystal_as_it_is(what, reason):
    assert label_one(faulty(what).static(), metal()).status.startswith(reason)


def test_an_element_that_a_calculator_does_not_know_stops_nothing(tmp_path):
    with LabelStore(tmp_path / "labels.sqlite") as store:
        unknown, known = label_all(emt(), [metal(11, 5.0), metal()], store, "test")
    assert unknown.status.startswith("failed: NotImplementedError: No EMT-potential for Na")
    assert known.ok


@pytest.mark.parametrize(
    ("settings", "problem", "remedy"),
    [
        ({"calculator": "mace.calculators.mace_mp"}, "mace.* cannot be imported: ModuleNotFoundError", "the package"),
        ({"calculator": "ase.calculators.emt:EMTT"}, "EMTT cannot be imported: AttributeError", "correct the path"),
        (
            {"calculator": "fake_calculators.Faulty", "arguments": {"x": 2}},
            "cannot be made with oracle.arguments: TypeError",
            "correct the arguments",
        ),
        ({"calculator": "fake_calculators:gives_nothing"}, "gives no calculator of ASE, but NoneType", "name a class"),
        ({"calculator": "fake_calculators.EnergyOnly"}, "EnergyOnly lacks a property", "energies, forces and stresses"),
        ({"packages": ["no-such-package==1.0"]}, "needs the package no-such-package", "pip install no-such-package"),
        (
            {"packages": ["ase==0.0.1"]},
            r"oracle.packages: ase [\d.]+ is installed, not 0.0.1",
            "pip install ase==0.0.1",
        ),
    ],
)
def test_an_installation_at_fault_stops_the_campaign_and_says_what_to_do(settings, problem, remedy):
    oracle = emt(**settings)
    with pytest.raises(LodestoneError, match=problem) as refused:
        label_one(oracle, metal())
    assert remedy in refused.value.remedy
    with pytest.raises(LodestoneError, match=problem):  # nothing half-known stays behind
        label_one(oracle, metal())


def test_a_file_of_weights_that_is_cut_short_is_named(tmp_path):
    (tmp_path / "weights").write_text("wei")
    oracle = emt(calculator="fake_calculators:of_file", arguments={"path": str(tmp_path / "weights")})
    with pytest.raises(LodestoneError, match="AssertionError: the file is cut short") as refused:
        label_one(oracle, metal())
    assert "cut short" in refused.value.remedy


def test_what_is_not_there_is_named_with_its_packages():
    with pytest.raises(LodestoneError, match="nowhere") as refused:
        calculator_of("nowhere:Calculator", "{}", ("nowhere==1.0",))
    assert refused.value.remedy == "pip install nowhere==1.0"


def test_a_label_does_not_depend_on_the_crystals_before_it():
    oracle = emt(calculator="fake_calculators:Remembering")
    alone = dict(oracle.label([metal()]))[0]
    after = dict(oracle.label([metal(47, 4.2), metal()]))[1]
    assert (after.energy_per_atom, after.n_steps) == (alone.energy_per_atom, alone.n_steps)
    static = oracle.static()
    assert dict(static.label([metal(47), metal()]))[1].energy_per_atom == label_one(static, metal()).energy_per_atom


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"calculator": "EMT"}, r"oracle\.calculator: String should match pattern"),
        ({"arguments": {"api_key": "abc"}}, r"oracle\.arguments: api_key looks like a key or password"),
        ({"arguments": {"server": {"token": "abc"}}}, r"oracle\.arguments: token looks like a key"),
        ({"arguments": {"urls": ["https://me:pw@example.org"]}}, r"oracle\.arguments: urls looks like a key"),
        ({"packages": ["mace-torch"]}, r"oracle\.packages\.0: String should match pattern"),
        ({"functional": ""}, r"oracle\.functional: String should have at least 1 character"),
        ({"fmaxx": 1}, r"oracle\.fmaxx: unknown parameter"),
    ],
)
def test_bad_settings_are_refused_by_their_key(change, message):
    content = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())
    with pytest.raises(LodestoneError, match=message):
        parse_params(content | {"oracle": EMT | change})


def test_corrections_are_known_for_the_functional_that_they_are_for():
    assert emt(functional="PBE", correction_scheme="MP2020").included_corrections == "MP2020"
    assert emt(functional="r2SCAN", correction_scheme="MP2020").included_corrections is None
    assert emt(functional="r2SCAN", correction_scheme="none").correction_scheme == "none"


def test_it_meets_no_hull_of_another_kind():
    snapshot = pl.DataFrame({"label_method": ["dft-pbe"], "correction_scheme": ["MP2020"]})
    with pytest.raises(LodestoneError, match=r"the oracle gives ase-emt-\w+ \(MP2020\) and the snapshot dft-pbe"):
        keep_labels(snapshot, emt(functional="PBE", correction_scheme="MP2020"), {})
