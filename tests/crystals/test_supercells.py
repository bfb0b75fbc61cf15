"""Supercells and how symmetry moves their atoms."""

from itertools import product

import numpy as np
import pytest

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.motions import primitive_motions
from lodestone.crystals.supercells import distinct_forms, hermite_forms, permutations, supercell

FCC = 0.5 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
ROCK_SALT = Crystal(5.6 * FCC, [11, 17], [[0, 0, 0], [0.5] * 3])
COPPER = Crystal(3.6 * FCC, [29], [[0.0] * 3])
POLONIUM = Crystal(3.4 * np.eye(3), [84], [[0.0] * 3])
HEXAGONAL = Crystal([[3.0, 0, 0], [-1.5, 1.5 * np.sqrt(3), 0], [0, 0, 4.1]], [12], [[0.0] * 3])
PEROVSKITE = Crystal(3.9 * np.eye(3), [38, 22, 8, 8, 8], [[0.5] * 3, [0] * 3, [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]])
PYRITE_LIKE = Crystal(
    [[4.1, 0.2, 0], [0, 5.3, 0.4], [0.7, 0, 6.1]], [26, 16, 16], [[0.1, 0, 0], [0.3, 0.4, 0.2], [0.8, 0.6, 0.7]]
)


def cosets(form):
    return form[0][0] * form[1][1] * form[2][2]


@pytest.mark.parametrize(("size", "number"), [(1, 1), (2, 7), (3, 13), (4, 35), (5, 31), (6, 91)])
def test_every_sublattice_once(size, number):
    """Their number is the sum over d | n of d * sigma(d)."""
    forms = list(hermite_forms(size))
    assert len(set(forms)) == len(forms) == number
    assert {round(np.linalg.det(form)) for form in forms} == {size}


@pytest.mark.parametrize(
    ("crystal", "numbers"),
    [(COPPER, [1, 2, 3, 7, 5, 10]), (POLONIUM, [1, 3, 3, 9, 5, 13]), (HEXAGONAL, [1, 3, 5, 11, 7, 19])],
)
def test_symmetry_reduces_them_to_the_published_numbers(crystal, numbers):
    """Hart and Forcade, Phys. Rev. B 77, 224115 (2008), and B 80, 014120 (2009), count them by lattice."""
    _, motions = primitive_motions(crystal)
    assert [len(distinct_forms(size, motions)) for size in range(1, 7)] == numbers


@pytest.mark.parametrize("crystal", [ROCK_SALT, PEROVSKITE, PYRITE_LIKE], ids=["rock salt", "perovskite", "triclinic"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_supercell_is_the_same_crystal(crystal, size):
    for form in hermite_forms(size):
        large = supercell(crystal, form)
        assert len(large) == size * len(crystal)
        assert large.volume == pytest.approx(size * crystal.volume)
        primitive = crystal.to_pymatgen()
        for site in large.to_pymatgen():
            frac = primitive.lattice.get_fractional_coords(site.coords)
            same = [other for other in primitive if other.specie == site.specie]
            assert min(np.abs((d := frac - other.frac_coords) - np.rint(d)).max() for other in same) < 1e-9


@pytest.mark.parametrize("crystal", [ROCK_SALT, PEROVSKITE, PYRITE_LIKE], ids=["rock salt", "perovskite", "triclinic"])
def test_permutations_keep_elements_and_distances_and_are_a_group(crystal):
    primitive, motions = primitive_motions(crystal)
    assert primitive is crystal
    for form in (form for size in (1, 2, 4) for form in distinct_forms(size, motions)):
        images = permutations(motions, form)
        large = supercell(crystal, form)
        assert (images[0, 0] == np.arange(len(large))).all()
        distances = large.to_pymatgen().distance_matrix
        flat = images.reshape(-1, len(large))
        for image in flat:
            assert (large.atomic_numbers[image] == large.atomic_numbers).all()
            assert np.allclose(distances[np.ix_(image, image)], distances)
        members = {tuple(image) for image in flat.tolist()}
        assert {tuple(one[other]) for one, other in product(flat, flat[:7])} <= members
        assert len({tuple(image) for image in images[0].tolist()}) == cosets(form)


def test_a_larger_cell_is_reduced_before_its_operations_are_searched():
    doubled = supercell(PEROVSKITE, ((1, 0, 0), (0, 1, 0), (0, 0, 2)))
    primitive, motions = primitive_motions(doubled)
    assert (len(doubled), len(primitive), len(motions)) == (10, 5, 48)


def test_without_symmetry_there_is_the_identity():
    primitive, motions = primitive_motions(
        Crystal([[3, 0, 0], [0.1, 3.4, 0], [0.3, 0.2, 3.9]], [3, 9], [[0] * 3, [0.41, 0.52, 0.37]])
    )
    assert len(primitive) == 2
    assert [motion.image.tolist() for motion in motions] == [[0, 1]]
