"""CHGNet as an oracle: known crystals, unphysical starts, the same label in any process."""

import numpy as np
import pytest

from lodestone.config.sections import RelaxationParams
from lodestone.crystals.crystal import Crystal
from lodestone.oracles.base import RelaxationSettings
from lodestone.oracles.chgnet import CHGNetOracle
from lodestone.oracles.registry import make_oracle
from lodestone.runtime.parallel import process_all

FCC = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


def shaken_salt() -> Crystal:
    """Rocksalt a little too small, its atoms displaced by about 0.05 Å."""
    coords = np.vstack([FCC, FCC + 0.5]) + np.random.default_rng(0).normal(0, 0.01, (8, 3))
    return Crystal(np.eye(3) * 5.6, [11] * 4 + [17] * 4, coords)


def pair(edge: float, second: list[float]) -> Crystal:
    return Crystal(np.eye(3) * edge, [11, 17], [[0, 0, 0], second])


@pytest.fixture(scope="module")
def salt():
    return CHGNetOracle().label(shaken_salt())


def test_shaken_rocksalt_relaxes_to_rocksalt(salt):
    assert salt.ok
    assert salt.energy_per_atom == pytest.approx(-3.668, abs=0.002)
    lengths = np.linalg.norm(salt.crystal.lattice, axis=1)
    assert lengths == pytest.approx([5.70] * 3, abs=0.03)
    assert 0 < salt.n_steps < 50
    assert salt.crystal.species == shaken_salt().species


def test_another_process_says_the_same(salt):
    [(_, other)] = process_all(CHGNetOracle().label, {"salt": shaken_salt()})
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
    label = CHGNetOracle().label(crystal)
    assert label.status == reason
    assert not label.ok
    assert label.energy_per_atom is None
    assert label.crystal is None


def test_too_few_steps_are_not_converged():
    assert CHGNetOracle(RelaxationSettings(max_steps=1)).label(shaken_salt()).status == "not_converged"


def test_parameters_reach_the_oracle():
    settings = RelaxationSettings(
        fmax=0.01, max_steps=7, max_volume_change=1.5, min_distance_ratio=0.4, min_energy_per_atom=-20.0
    )
    oracle = make_oracle(RelaxationParams(name="chgnet-0.3.0", **settings.as_dict()))
    assert oracle == CHGNetOracle(settings, "chgnet-0.3.0")
