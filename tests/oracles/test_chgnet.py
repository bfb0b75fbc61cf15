"""CHGNet as an oracle: known crystals, unphysical starts, the same label in any process."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from lodestone.config.load import load_params
from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.oracles.attempt import label_one
from lodestone.oracles.chgnet import CHGNetOracle, CHGNetSettings
from lodestone.oracles.external import ExternalOracle, ExternalParams
from lodestone.oracles.registry import as_is, make_oracle
from lodestone.oracles.relaxation import remembered
from lodestone.oracles.store import label_key
from lodestone.runtime.parallel import process_all

pytestmark = pytest.mark.slow

FCC = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
SETTINGS = {
    "fmax": 0.05,
    "max_steps": 100,
    "max_volume_change": 2.0,
    "min_distance_ratio": 0.5,
    "min_energy_per_atom": -15.0,
}


def chgnet(**other) -> CHGNetOracle:
    return CHGNetOracle(CHGNetSettings(name="chgnet-0.3.0", **SETTINGS | other))


def shaken_salt() -> Crystal:
    """Rocksalt a little too small, its atoms displaced by about 0.05 Å."""
    coords = np.vstack([FCC, FCC + 0.5]) + np.random.default_rng(0).normal(0, 0.01, (8, 3))
    return Crystal(np.eye(3) * 5.6, [11] * 4 + [17] * 4, coords)


def pair(edge: float, second: list[float]) -> Crystal:
    return Crystal(np.eye(3) * edge, [11, 17], [[0, 0, 0], second])


@pytest.fixture(scope="module")
def salt():
    return label_one(chgnet(), shaken_salt())


def test_shaken_rocksalt_relaxes_to_rocksalt(salt):
    assert salt.ok
    assert salt.energy_per_atom == pytest.approx(-3.668, abs=0.002)
    lengths = np.linalg.norm(salt.crystal.lattice, axis=1)
    assert lengths == pytest.approx([5.70] * 3, abs=0.03)
    assert 0 < salt.n_steps < 50
    assert salt.crystal.species == shaken_salt().species


def test_another_process_says_the_same(salt):
    [(_, other)] = process_all(partial(label_one, chgnet()), {"salt": shaken_salt()})
    assert other.energy_per_atom == salt.energy_per_atom
    assert np.array_equal(other.crystal.lattice, salt.crystal.lattice)
    assert np.array_equal(other.crystal.frac_coords, salt.crystal.frac_coords)


@pytest.mark.parametrize(
    ("crystal", "reason"),
    [
        (pair(2.8, [0.05, 0, 0]), "atoms_overlap"),
        (pair(3.0, [0, 0, 0]), "not_finite"),
        (pair(2.2, [0.5, 0.5, 0.5]), "exploded"),
    ],
)
def test_unphysical_starts_are_refused_with_a_reason(crystal, reason):
    label = label_one(chgnet(), crystal)
    assert label.status == reason
    assert not label.ok
    assert label.energy_per_atom is None
    assert label.crystal is None


def test_too_few_steps_are_not_converged():
    assert label_one(chgnet(max_steps=1), shaken_salt()).status == "not_converged"


def test_parameters_reach_the_oracle():
    params = load_params(Path(__file__).parents[2] / "params.yaml").oracle
    oracle = make_oracle(params.model_copy(update={"fmax": 0.01}))
    assert isinstance(oracle, CHGNetOracle)
    assert oracle.name == "chgnet-0.3.0"
    assert oracle.label_settings() == SETTINGS | {"fmax": 0.01}
    assert oracle.versions.keys() == {"ase", "chgnet", "numpy", "pymatgen", "torch"}


@pytest.mark.parametrize(("named", "several"), [("", False), ("auto", False), ("cpu", False), ("cuda", True)])
def test_several_at_once_on_a_device_that_is_named(monkeypatch, named, several):
    monkeypatch.setenv("LODESTONE_DEVICE", named)
    assert (chgnet().at_once > 1) is several


def test_a_device_that_there_is_not(monkeypatch):
    monkeypatch.setenv("LODESTONE_DEVICE", "abacus")
    with pytest.raises(LodestoneError, match="LODESTONE_DEVICE is 'abacus'") as refused:
        label_one(chgnet(), shaken_salt())
    assert "cpu" in refused.value.remedy


def test_a_static_label_is_the_energy_of_the_crystal_as_it_is(salt):
    static = chgnet().static()
    relaxed = label_one(static, salt.crystal)
    assert relaxed.energy_per_atom == pytest.approx(salt.energy_per_atom, abs=1e-5)
    shaken = label_one(static, shaken_salt())
    assert shaken.energy_per_atom > salt.energy_per_atom + 1e-3
    assert shaken.n_steps == 0
    assert np.array_equal(shaken.crystal.lattice, shaken_salt().lattice)


def test_static_labels_have_keys_of_their_own_whatever_the_limits_of_a_relaxation():
    keys = {label_key(oracle, shaken_salt()) for oracle in (chgnet(), chgnet().static())}
    assert len(keys) == 2
    assert label_key(chgnet(fmax=0.01).static(), shaken_salt()) in keys
    assert label_key(chgnet(min_energy_per_atom=-12.0).static(), shaken_salt()) not in keys


def test_crystals_that_are_relaxed_are_labelled_as_they_are_if_the_oracle_can():
    assert as_is(chgnet()).name == "chgnet-0.3.0-static"
    external = ExternalOracle(ExternalParams(name="external", label_method="dft-pbe", correction_scheme="MP2020"))
    assert as_is(external) is external
    assert (chgnet().included_corrections, external.included_corrections) == ("MP2020", "MP2020")


def test_a_static_label_of_overlapping_atoms_is_refused():
    assert label_one(chgnet().static(), pair(4.0, [0.1, 0.1, 0.1])).status == "atoms_overlap"


def test_forces_are_computed_once_for_each_state_and_are_nobody_elses():
    atoms, calls = shaken_salt().to_ase(), []

    def get_forces():
        calls.append(atoms.positions.copy())
        return atoms.positions + len(calls)

    forces = remembered(get_forces, atoms)
    first = forces()
    first += 100
    assert np.array_equal(forces(), atoms.positions + 1)
    atoms.positions[0, 0] += 1e-12
    assert np.array_equal(forces(), atoms.positions + 2)
    atoms.cell[0, 0] += 1e-12
    forces()
    assert len(calls) == 3


def test_remembered_forces_change_no_bit_of_a_label(salt, monkeypatch):
    monkeypatch.setattr("lodestone.oracles.relaxation.remembered", lambda get_forces, _: get_forces)
    plain = label_one(chgnet(), shaken_salt())
    assert (plain.energy_per_atom, plain.n_steps) == (salt.energy_per_atom, salt.n_steps)
    assert plain.crystal.digest() == salt.crystal.digest()
    assert np.array_equal(plain.crystal.frac_coords, salt.crystal.frac_coords)
