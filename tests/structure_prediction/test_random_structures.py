"""Random structures along symmetry: sound, repeatable, and given up where they take too long."""

import time

import numpy as np
import pytest

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.crystals.soundness import why_unsound
from lodestone.errors import LodestoneError
from lodestone.runtime.parallel import OutOfTimeError
from lodestone.structure_prediction import random_structures as module
from lodestone.structure_prediction.formulas import Formula
from lodestone.structure_prediction.random_structures import RandomStructure, check_installed, random_structures
from waiting import HANG

ROCK_SALT = Formula.of(np.array([ATOMIC_NUMBERS["Na"], ATOMIC_NUMBERS["Cl"]]))


def wanted(seed, formula=ROCK_SALT):
    return RandomStructure(formula, max_sites=8, volume=44.0, seed=seed)


class Endless(RandomStructure):
    """What hangs."""

    def make(self):
        while True:
            time.sleep(0.01)


class Hopeless(RandomStructure):
    """What PyXtal cannot make."""

    def make(self):
        raise RuntimeError("long time to generate structure, check inputs")


class Ready(RandomStructure):
    """What is made at once."""

    def make(self):
        return Crystal(3.0 * np.eye(3), [11], [[0, 0, 0]])


@pytest.mark.slow
def test_structures_have_formula_size_and_volume_and_are_repeatable():
    pytest.importorskip("pyxtal")
    tasks = {str(seed): wanted(seed) for seed in range(6)}
    one, again = ({item.key: item.result() for item in random_structures(tasks, HANG)} for _ in range(2))
    assert {key: crystal.digest() for key, crystal in one.items()} == {key: x.digest() for key, x in again.items()}
    for crystal in one.values():
        assert Formula.of(crystal.atomic_numbers) == ROCK_SALT
        assert len(crystal) <= 8
        assert crystal.volume == pytest.approx(22.0 * len(crystal))
        assert why_unsound(crystal) is None
    assert len({len(crystal) for crystal in one.values()}) > 1


def test_one_that_hangs_costs_only_itself(monkeypatch):
    monkeypatch.setenv("LODESTONE_WORKERS", "2")
    tasks = {"one": Endless(ROCK_SALT, 8, 44.0, 0), "other": Endless(ROCK_SALT, 8, 44.0, 1)}
    outcomes = {item.key: item.error for item in random_structures(tasks, 0.3)}
    assert all(isinstance(error, OutOfTimeError) for error in outcomes.values())
    assert "one took longer than 0.3 seconds" in str(outcomes["one"])


def test_one_that_fails_costs_only_itself():
    tasks = {"fails": Hopeless(ROCK_SALT, 8, 44.0, 1), "works": Ready(ROCK_SALT, 8, 44.0, 2)}
    outcomes = {item.key: item for item in random_structures(tasks, HANG)}
    assert isinstance(outcomes["fails"].error, RuntimeError)
    assert len(outcomes["works"].result()) == 1


def test_without_pyxtal_one_error_names_what_to_install(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(LodestoneError, match="pyxtal, which is not installed") as told:
        check_installed()
    assert "random-structures" in told.value.remedy
