"""One derivative instead of two: the same numbers as the calculator of the package."""

import numpy as np
import pytest
from chgnet.model import CHGNet
from chgnet.model.dynamics import CHGNetCalculator

from lodestone.crystals.crystal import Crystal
from lodestone.oracles.calculators.chgnet import OneDerivativeCalculator

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Converting a tensor")]  # of the package

CRYSTALS = {
    "salt": Crystal(np.eye(3) * 4.0, [11, 17], [[0, 0, 0], [0.52, 0.47, 0.5]]),
    "oblique": Crystal(np.array([[3.1, 0, 0], [0.7, 3.3, 0], [0.2, -0.4, 4.1]]), [26, 8, 8], np.diag([0.0, 0.3, 0.6])),
    "alone": Crystal(np.eye(3) * 3.0, [26], [[0, 0, 0]]),
}


@pytest.fixture(scope="module")
def calculators():
    models = [CHGNet.load(model_name="0.3.0", use_device="cpu", verbose=False) for _ in range(2)]
    return OneDerivativeCalculator(models[0], "cpu"), CHGNetCalculator(models[1], use_device="cpu")


@pytest.mark.parametrize("name", CRYSTALS)
def test_the_numbers_are_those_of_the_package(calculators, name):
    mine, theirs = (CRYSTALS[name].to_ase() for _ in calculators)
    mine.calc, theirs.calc = calculators
    assert mine.get_potential_energy() == theirs.get_potential_energy()
    assert mine.get_forces() == pytest.approx(theirs.get_forces(), rel=2e-5, abs=2e-5)
    assert mine.get_stress(voigt=False) == pytest.approx(theirs.get_stress(voigt=False), rel=2e-5, abs=2e-6)


def test_forces_are_what_the_energy_changes_by(calculators):
    atoms = CRYSTALS["salt"].to_ase()
    atoms.calc, step = calculators[0], 0.02
    energies = []
    for moved in (-step, step):
        there = atoms.copy()
        there.calc = calculators[0]
        there.positions[1, 0] += moved
        energies.append(there.get_potential_energy())
    assert atoms.get_forces()[1, 0] == pytest.approx((energies[0] - energies[1]) / (2 * step), rel=0.02)


def test_an_energy_alone_takes_no_derivative(calculators):
    atoms = CRYSTALS["salt"].to_ase()
    atoms.calc = calculators[0]
    calculators[0].reset()
    energy = atoms.get_potential_energy()
    assert set(calculators[0].results) == {"energy", "free_energy"}
    atoms.get_forces()
    assert atoms.get_potential_energy() == energy
