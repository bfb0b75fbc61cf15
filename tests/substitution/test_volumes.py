"""Volumes add up over elements."""

import numpy as np
import pytest
from crystal_moves import caesium_chloride, perovskite, rocksalt, supercell

from lodestone.substitution.volumes import AtomicVolumes

TRUE_VOLUMES = {11: 20.0, 17: 30.0, 19: 40.0, 35: 35.0}


def compound(cation: int, anion: int):
    return rocksalt(cation, anion).scaled_to(4 * (TRUE_VOLUMES[cation] + TRUE_VOLUMES[anion]))


@pytest.fixture(scope="module")
def volumes():
    metal = rocksalt(11, 11).scaled_to(8 * TRUE_VOLUMES[11])
    return AtomicVolumes.fit([metal, compound(11, 17), compound(19, 17), compound(19, 35)])


def test_additive_volumes_are_recovered(volumes):
    assert {z: volumes.values[z] for z in TRUE_VOLUMES} == pytest.approx(TRUE_VOLUMES)


def test_elements_never_seen_have_the_mean(volumes):
    assert volumes.values[92] == pytest.approx(np.mean([20.0, 25.0, 35.0, 37.5]))


def test_no_element_vanishes():
    crystals = [rocksalt(11, 17).scaled_to(80), rocksalt(11, 11).scaled_to(320)]  # chlorine would be negative
    assert AtomicVolumes.fit(crystals).values.min() == pytest.approx(0.2 * 25)


def test_a_child_has_the_ratio_of_its_elements(volumes):
    parent = rocksalt(11, 17)
    child = volumes.rescale(parent, parent.with_elements({11: 19}))
    assert child.volume == pytest.approx(parent.volume * (40 + 30) / (20 + 30))
    assert child.species == ["K"] * 4 + ["Cl"] * 4
    assert volumes.rescale(parent, parent).volume == pytest.approx(parent.volume)


def test_fit_does_not_depend_on_cell_size():
    cells = AtomicVolumes.fit([caesium_chloride(), perovskite()])
    larger = AtomicVolumes.fit([supercell(caesium_chloride()), perovskite()])
    assert larger.values == pytest.approx(cells.values)
