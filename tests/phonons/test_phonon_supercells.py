"""Supercells: small, symmetric, with images far apart."""

import numpy as np
import pytest
from copper import BCC, FCC, HCP

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.motions import primitive_motions
from lodestone.phonons.supercells import cell_of_wave, image_distance, smallest_supercell

SKEW = Crystal([[4.1, 0.3, 0.1], [1.2, 5.3, 0.7], [0.4, 1.9, 6.2]], [11, 17], [[0.1, 0.2, 0.3], [0.6, 0.55, 0.8]])


def chosen(crystal, min_length=8.0, max_atoms=120):
    cell, motions = primitive_motions(crystal, 0.01)
    return cell, motions, smallest_supercell(cell, motions, min_length=min_length, max_atoms=max_atoms)


@pytest.mark.parametrize("crystal", [FCC, BCC, HCP, SKEW], ids=["fcc", "bcc", "hcp", "skew"])
@pytest.mark.parametrize("min_length", [4.0, 8.0])
def test_it_is_as_symmetric_as_the_crystal_with_images_far_apart(crystal, min_length):
    cell, motions, form = chosen(crystal, min_length)
    lattice = np.array(form)
    assert image_distance(cell, form) >= min_length - 1e-6
    assert len(cell) * round(np.linalg.det(lattice)) <= 120
    assert (lattice % 2 == 0).all()  # it holds all points half-way to a reciprocal vector
    for motion in motions:
        turned = lattice @ motion.rotation.T @ np.linalg.inv(lattice)
        assert np.allclose(turned, np.rint(turned))


def test_images_of_skew_cells_are_counted_in_all_directions():
    cell = Crystal([[10.0, 0, 0], [9.0, 1.5, 0], [0, 0, 10.0]], [29], [[0, 0, 0]])
    assert image_distance(cell, ((1, 0, 0), (0, 1, 0), (0, 0, 1))) == pytest.approx(np.hypot(1.0, 1.5))
    assert image_distance(cell, ((1, 0, 0), (0, 2, 0), (0, 0, 1))) == pytest.approx(np.hypot(2.0, 3.0))


def test_a_smaller_one_is_taken_where_the_best_does_not_fit():
    _, _, best = chosen(SKEW)
    _, _, small = chosen(SKEW, max_atoms=2 * round(np.linalg.det(best)) - 1)
    assert 1 < np.linalg.det(small) < np.linalg.det(best)
    assert (np.array(small) % 2).any()


def test_none_is_none():
    assert chosen(FCC, max_atoms=8)[2] is None
    assert chosen(SKEW, max_atoms=1)[2] is None


@pytest.mark.parametrize(
    ("q", "size"), [((0, 0, 0), 1), ((0.5, 0, 0), 2), ((0.5, 0.5, 0.5), 2), ((1 / 3, 1 / 3, 0), 3), ((0.5, 0.25, 0), 4)]
)
def test_a_wave_repeats_in_its_cell_and_in_no_smaller_one(q, size):
    form = np.array(cell_of_wave(np.round(q, 6)))
    assert round(np.linalg.det(form)) == size
    assert np.allclose(form @ q, np.rint(form @ q), atol=1e-5)
