"""Artifacts of a relaxation are named, crystals are let through."""

import numpy as np
import pytest

from lodestone.crystals.crystal import Crystal
from lodestone.oracles.sanity import distance_ratio, fault

SALT = Crystal(np.eye(3) * 3.5, [55, 17], [[0, 0, 0], [0.5, 0.5, 0.5]])
LIMITS = {"max_volume_change": 2.0, "min_distance_ratio": 0.5, "min_energy_per_atom": -15.0}


def changed(volume: float = 1.0, shift: float = 0.0) -> Crystal:
    """The salt at another volume, its second atom moved along the diagonal towards the first."""
    coords = SALT.frac_coords - [[0, 0, 0], [shift] * 3]
    return Crystal(SALT.lattice, SALT.atomic_numbers, coords).scaled_to(volume * SALT.volume)


@pytest.mark.parametrize(
    ("current", "energy", "reason"),
    [
        (SALT, -3.0, None),
        (changed(1.99), -3.0, None),
        (changed(2.01), -3.0, "exploded"),
        (changed(0.51), -3.0, None),
        (changed(0.49), -3.0, "collapsed"),
        (changed(shift=0.1), -3.0, None),
        (changed(shift=0.3), -3.0, "atoms_overlap"),
        (SALT, float("nan"), "not_finite"),
        (SALT, float("inf"), "not_finite"),
        (Crystal(np.full((3, 3), np.nan), [55, 17], SALT.frac_coords), -3.0, "not_finite"),
        (SALT, -14.9, None),
        (SALT, -15.1, "energy_artefact"),
    ],
)
def test_faults(current, energy, reason):
    assert fault(SALT, current, energy, **LIMITS) == reason


def test_distances_are_measured_over_periodic_images():
    lone = Crystal(np.diag([1.0, 9.0, 9.0]), [6], [[0.3, 0.3, 0.3]])
    assert distance_ratio(lone) == pytest.approx(1.0 / (2 * 0.76))  # twice the covalent radius of carbon
    split = Crystal(np.eye(3) * 10.0, [6, 6], [[0.01, 0, 0], [0.99, 0, 0]])
    assert distance_ratio(split) == pytest.approx(0.2 / (2 * 0.76))
    assert distance_ratio(Crystal(np.eye(3) * 9.0, [6], [[0, 0, 0]])) == float("inf")
