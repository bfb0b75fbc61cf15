"""What is no crystal is refused before a network can be confident about it."""

import numpy as np
import pytest

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.soundness import MIN_DISTANCE, VOLUME_PER_ATOM, refuse_unsound, why_unsound
from lodestone.errors import LodestoneError

SALT = Crystal(4.0 * np.eye(3), [55, 17], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.mark.parametrize(
    ("lattice", "numbers", "coords", "reason"),
    [
        (4.0 * np.eye(3), [55, 17], [[0, 0, 0], [0, 0, 0]], "0.000 Å apart, less than 0.5"),
        (4.0 * np.eye(3), [55, 17], [[0, 0, 0], [0.9, 0, 0]], "0.400 Å apart"),
        (40.0 * np.eye(3), [55, 17], SALT.frac_coords, "32000.00 Å3/atom, outside 2 to 150"),
        (np.eye(3), [55, 17], SALT.frac_coords, "0.50 Å3/atom"),
        (0.0 * np.eye(3), [55, 17], SALT.frac_coords, "0.00 Å3/atom"),
        (np.nan * np.eye(3), [55, 17], SALT.frac_coords, "not finite"),
        (4.0 * np.eye(3), [55, 17], [[0, 0, 0], [0.5, np.inf, 0.5]], "not finite"),
        (4.0 * np.eye(3), [55, 0], SALT.frac_coords, "no known element"),
        (4.0 * np.eye(3), [55, 250], SALT.frac_coords, "no known element"),
        (4.0 * np.eye(3), [55, 17], [[0, 0, 0]], "2 atoms and 1 positions"),
        (4.0 * np.eye(3), [], [], "0 atoms"),
    ],
)
def test_what_is_no_crystal_is_named(lattice, numbers, coords, reason):
    wrong = Crystal(lattice, numbers, coords)
    assert why_unsound(SALT) is None
    assert reason in str(why_unsound(wrong))
    with pytest.raises(LodestoneError, match=r"crystal 1 \("):
        refuse_unsound([SALT, wrong])


def test_the_bounds_are_those_of_the_validation(default_params):
    rules = default_params.validate_
    assert (rules.min_distance, rules.volume_per_atom) == (MIN_DISTANCE, VOLUME_PER_ATOM)


@pytest.fixture
def default_params():
    from pathlib import Path

    from lodestone.config.load import load_params

    return load_params(Path(__file__).parents[2] / "params.yaml")
