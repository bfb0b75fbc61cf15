"""Conversions are exact, the digest sees what matters, formulas are written as others write them."""

import numpy as np
import pytest
from crystal_moves import perovskite, rocksalt, triclinic

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS
from lodestone.crystals.encoding import chemical_system, reduced_formula
from lodestone.errors import LodestoneError


def same(first: Crystal, second: Crystal, tolerance: float = 0.0) -> bool:
    pairs = ((getattr(first, field), getattr(second, field)) for field in ("lattice", "atomic_numbers", "frac_coords"))
    return all(a.shape == b.shape and np.abs(a.astype(float) - b).max() <= tolerance for a, b in pairs)


@pytest.mark.parametrize("seed", range(3))
def test_pymatgen_and_back(seed):
    crystal = triclinic(seed)
    structure = crystal.to_pymatgen()
    assert structure.volume == pytest.approx(crystal.volume, rel=1e-12)
    assert np.allclose(structure.cart_coords, crystal.cart_coords, atol=1e-12)
    assert same(Crystal.from_pymatgen(structure), crystal)


@pytest.mark.parametrize("seed", range(3))
def test_ase_and_back(seed):
    crystal = triclinic(seed)
    atoms = crystal.to_ase()
    assert atoms.pbc.all()
    assert np.allclose(atoms.positions, crystal.cart_coords, atol=1e-12)
    assert same(Crystal.from_ase(atoms), crystal, tolerance=1e-12)  # coordinates outside the cell stay outside


def test_oxidation_states_are_dropped():
    structure = rocksalt().to_pymatgen()
    structure.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    assert same(Crystal.from_pymatgen(structure), rocksalt())


@pytest.mark.parametrize("site", [{"Na": 0.5, "K": 0.5}, {"Na": 0.9}])
def test_partial_occupancy_is_refused(site):
    structure = rocksalt().to_pymatgen()
    structure[0] = site
    with pytest.raises(LodestoneError, match=r"Cl4.*partially occupied") as refused:
        Crystal.from_pymatgen(structure)
    assert "OrderDisordered" in refused.value.remedy


def test_digest_is_the_same_everywhere_and_always():
    assert rocksalt().digest() == "3e2d078061a0d72cbea9baf4b8dec7ce"


@pytest.mark.parametrize(
    ("shift", "equal"), [(0.0, True), (1e-9, True), (-1e-9, True), (1e-5, False)], ids=["none", "up", "down", "real"]
)
def test_digest_ignores_rounding_only(shift, equal):
    plain = rocksalt()
    moved = Crystal(plain.lattice, plain.atomic_numbers, plain.frac_coords + shift)
    stretched = Crystal(plain.lattice + shift, plain.atomic_numbers, plain.frac_coords)
    assert (moved.digest() == plain.digest()) == equal
    assert (stretched.digest() == plain.digest()) == equal


def test_digest_knows_the_elements():
    assert len({rocksalt(11, 17).digest(), rocksalt(17, 11).digest(), rocksalt(19, 17).digest()}) == 3


def test_elements_are_replaced_at_once():
    swapped = perovskite().with_elements({38: 22, 22: 38})
    assert swapped.species == ["Ti", "Sr", "O", "O", "O"]


def test_scaling_keeps_the_shape():
    crystal = triclinic(0)
    scaled = crystal.scaled_to(123.0)
    assert scaled.volume == pytest.approx(123.0)
    ratio = scaled.lattice / crystal.lattice
    assert np.ptp(ratio) < 1e-12
    assert crystal.volume != pytest.approx(123.0)  # the original is as it was


def test_symbols_are_those_of_pymatgen():
    from pymatgen.core import Element

    assert [Element.from_Z(z).symbol for z in range(1, len(SYMBOLS))] == list(SYMBOLS[1:])
    assert all(SYMBOLS[number] == symbol for symbol, number in ATOMIC_NUMBERS.items())


@pytest.mark.parametrize(
    ("numbers", "formula", "system"),
    [
        ([11] * 4 + [17] * 4, "NaCl", "Cl-Na"),
        ([8, 8, 8, 8], "O2", "O"),
        ([26] * 4, "Fe", "Fe"),
        ([8, 38, 8, 22, 8], "SrTiO3", "O-Sr-Ti"),
        ([1, 8, 1, 8], "H2O2", "H-O"),
    ],
)
def test_formula_and_chemical_system(numbers, formula, system):
    assert reduced_formula(np.array(numbers, dtype=np.uint8)) == formula
    assert chemical_system(np.array(numbers, dtype=np.uint8)) == system


def test_rounding_leaves_no_noise_behind_zeros():
    crystal = Crystal(
        np.diag([4.1234567, 3.0, 3.0]) - 1e-8, np.array([11, 17]), [[-2e-8, 0.0, 0.0], [0.50000004, 0, 0]]
    )
    rounded = crystal.rounded(5)
    assert rounded.lattice.tolist() == [[4.12346, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]]
    assert str(rounded.frac_coords.tolist()) == "[[0.0, 0.0, 0.0], [0.5, 0.0, 0.0]]"
    assert rounded.atomic_numbers.tolist() == [11, 17]
