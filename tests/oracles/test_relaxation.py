"""Relaxations in lockstep: nobody's label depends on its neighbors, and one that fails stops no other."""

from functools import partial

import numpy as np
import pytest

from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.oracles.relaxation import relax_all
from lodestone.oracles.sanity import fault

ATOM = Crystal(np.eye(3) * 4.0, [18], [[0, 0, 0]])
VOLUMES = {1: 64.0, 2: 90.0, 3: 120.0, 4: 150.0, 5: 75.0}  # by atoms, where a spring is at rest
NEVER = partial(fault, max_volume_change=100.0, min_distance_ratio=0.0)


def springs(many, seen=None):
    """Energy is quadratic in the volume; atoms feel no force."""
    if seen is not None:
        seen.append([len(atoms) for atoms in many])
    results = []
    for atoms in many:
        apart = atoms.get_volume() / VOLUMES[len(atoms)] - 1
        stress = np.eye(3) * apart / VOLUMES[len(atoms)] * 20
        results.append({"energy": 10 * apart**2, "forces": np.zeros((len(atoms), 3)), "stress": stress})
    return results


def chain(n: int, edge: float = 4.0) -> Crystal:
    return Crystal(np.eye(3) * edge, [18] * n, [[i / n, 0, 0] for i in range(n)])


def relaxed(crystals, evaluate=springs, *, width=1, max_steps=200, why=NEVER):
    return dict(relax_all(crystals, evaluate, why, fmax=0.001, max_steps=max_steps, width=width))


@pytest.mark.parametrize("width", [1, 2, 3, 50])
def test_labels_do_not_depend_on_how_many_are_relaxed_at_once(width):
    crystals = [chain(n) for n in VOLUMES]
    labels = relaxed(crystals, width=width)
    assert [labels[row].crystal.volume for row in range(5)] == pytest.approx([*VOLUMES.values()], rel=0.01)
    alone = [relaxed([crystal])[0] for crystal in crystals]
    assert [labels[row].n_steps for row in range(5)] == [label.n_steps for label in alone]
    assert [labels[row].energy_per_atom for row in range(5)] == [label.energy_per_atom for label in alone]


def test_the_next_takes_the_place_of_one_that_is_finished():
    seen = []
    relaxed([chain(n) for n in VOLUMES], partial(springs, seen=seen), width=2)
    assert max(map(len, seen)) == 2
    assert seen[0] == [1, 2]
    assert {n for call in seen for n in call} == set(VOLUMES)
    together = [call for call in seen if len(call) == 2]
    assert len(together) > len(seen) / 2


def test_one_that_fails_stops_no_other():
    def fails_for_two(many):
        if any(len(atoms) == 2 for atoms in many):
            raise ValueError("two is one too many")
        return springs(many)

    labels = relaxed([chain(n) for n in (1, 2, 3)], fails_for_two, width=3)
    assert labels[1].status == "failed: ValueError: two is one too many"
    assert labels[0].ok
    assert labels[2].ok


def test_a_fault_of_the_installation_stops_all():
    def broken(_):
        raise LodestoneError("no weights", "install them")

    with pytest.raises(LodestoneError, match="no weights"):
        relaxed([ATOM], broken)


def test_a_state_that_is_not_credible_ends_with_its_reason():
    labels = relaxed([chain(4), chain(1)], why=partial(fault, max_volume_change=1.5, min_distance_ratio=0.0), width=2)
    assert labels[0].status == "exploded"
    assert labels[0].n_steps > 0
    assert labels[1].ok


def test_steps_are_limited():
    label = relaxed([chain(4)], max_steps=1)[0]
    assert (label.status, label.n_steps) == ("not_converged", 1)


def test_nothing_gives_nothing():
    assert relaxed([], width=8) == {}
