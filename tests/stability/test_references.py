"""Elements as references, compositions as fractions."""

import numpy as np
import polars as pl
import pytest
from phases import fractions_of

from lodestone.crystals.compositions import N_ELEMENTS, atomic_fractions
from lodestone.errors import LodestoneError
from lodestone.schemas import References
from lodestone.stability.references import elemental_references, formation_energies

CRYSTALS = pl.DataFrame(
    {
        "material_id": ["o", "a-na-high", "na-b", "na-a", "salt"],
        "chemsys": ["O", "Na", "Na", "Na", "Na-O"],
        "energy_per_atom": [-5.0, -1.0, -1.3, -1.3, -9.0],
    }
)


def test_lowest_crystal_of_each_element():
    references = elemental_references(CRYSTALS.reverse())
    assert references.rows() == [("Na", -1.3, "na-a"), ("O", -5.0, "o")]
    References.validate(references)


def test_formation_energies():
    fractions = fractions_of(np.array([[1, 0], [0, 1], [2, 1]]), ("Na", "O"))
    computed = formation_energies(fractions, np.array([-1.0, -5.0, -4.0]), elemental_references(CRYSTALS))
    assert computed == pytest.approx([0.3, 0.0, -4.0 - (2 * -1.3 - 5.0) / 3])


def test_missing_elements_are_named():
    fractions = fractions_of(np.array([[1, 1, 0, 0], [1, 0, 1, 1]]), ("Na", "O", "Fe", "P"))
    with pytest.raises(LodestoneError, match="no elemental reference energy for P, Fe\n") as missing:
        formation_energies(fractions, np.zeros(2), elemental_references(CRYSTALS))
    assert "snapshot.filters.elements" in missing.value.remedy


def test_atomic_fractions():
    fractions = atomic_fractions([np.array([11, 17], dtype=np.uint8), np.array([8, 8, 26, 26, 8], dtype=np.uint8)])
    expected = np.zeros((2, N_ELEMENTS))
    expected[0, [11, 17]] = 0.5
    expected[1, [8, 26]] = 0.6, 0.4
    assert np.array_equal(fractions, expected)
    assert atomic_fractions([]).shape == (0, N_ELEMENTS)
