"""Atoms chosen along symmetry, against brute force by other tools."""

from itertools import combinations

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.motions import primitive_motions
from lodestone.crystals.supercells import hermite_forms, supercell
from lodestone.crystals.symmetry import symmetry_of
from lodestone.substitution import orderings as module
from lodestone.substitution.orderings import orderings

FCC = 0.5 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
COPPER = Crystal(3.6 * FCC, [29], [[0.0] * 3])
ROCK_SALT = Crystal(5.6 * FCC, [11, 17], [[0, 0, 0], [0.5] * 3])
PEROVSKITE = Crystal(3.9 * np.eye(3), [38, 22, 8, 8, 8], [[0.5] * 3, [0] * 3, [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]])
RUTILE = Crystal(
    np.diag([4.6, 4.6, 2.95]),
    [22, 22, 8, 8, 8, 8],
    [[0] * 3, [0.5] * 3, [0.305, 0.305, 0], [0.695, 0.695, 0], [0.805, 0.195, 0.5], [0.195, 0.805, 0.5]],
)
NEW = 54


def found(crystal, element, max_cells, max_sites=100):
    primitive, motions = primitive_motions(crystal)
    return orderings(primitive, motions, max_sites=max_sites, max_cells=max_cells)[element]


def child(crystal, form, chosen):
    large = supercell(crystal, form)
    numbers = large.atomic_numbers.copy()
    numbers[list(chosen)] = NEW
    return Crystal(large.lattice, numbers, large.frac_coords)


def is_along_symmetry(structure, element):
    """By spglib: in a primitive cell of the child, the new atoms or those that stay are one orbit."""
    orbits = SpacegroupAnalyzer(structure, symprec=1e-3).get_symmetry_dataset().crystallographic_orbits
    numbers = np.array([site.specie.Z for site in structure])
    return any(len(set(orbits[numbers == z])) == 1 for z in (NEW, element))


def brute_force(crystal, element, max_cells):
    """Every subset in every supercell, one of each that pymatgen's matcher holds for equal."""
    matcher = StructureMatcher(ltol=1e-3, stol=1e-3, angle_tol=0.1, primitive_cell=False, scale=False)
    distinct = []
    for form in (form for size in range(1, max_cells + 1) for form in hermite_forms(size)):
        places = np.flatnonzero(supercell(crystal, form).atomic_numbers == element)
        for size in range(1, len(places)):
            for chosen in combinations(places.tolist(), size):
                one = child(crystal, form, chosen).to_pymatgen()
                if len(one.get_primitive_structure(1e-3)) == len(one) and is_along_symmetry(one, element):
                    reduced = one.get_reduced_structure()
                    if not any(matcher.fit(reduced, other) for other in distinct):
                        distinct.append(reduced)
    return distinct


@pytest.mark.slow
@pytest.mark.parametrize(
    ("crystal", "element", "max_cells"),
    [(COPPER, 29, 4), (ROCK_SALT, 17, 3), (PEROVSKITE, 8, 1), (PEROVSKITE, 22, 3), (RUTILE, 8, 1), (RUTILE, 22, 2)],
)
def test_as_many_as_by_brute_force(crystal, element, max_cells):
    expected, ours = brute_force(crystal, element, max_cells), found(crystal, element, max_cells)
    assert len(ours) == len(expected) > 1
    matcher = StructureMatcher(ltol=1e-3, stol=1e-3, angle_tol=0.1, primitive_cell=False, scale=False)
    children = [child(crystal, one.form, one.chosen).to_pymatgen().get_reduced_structure() for one in ours]
    for structure in children:
        assert sum(matcher.fit(structure, other) for other in expected) == 1
        assert sum(matcher.fit(structure, other) for other in children) == 1


def test_copper_orders_as_its_alloys_do():
    """CuAu is L1_0, Cu3Au is L1_2, Al3Ti is D0_22 and CuPt L1_1."""
    labels = {symmetry_of(child(COPPER, one.form, one.chosen)).prototype for one in found(COPPER, 29, 4)}
    assert {
        "AB_tP2_123_1:4/mmm_1:4/mmm",
        "AB3_cP4_221_1:m-3m_3:4/mm.m",
        "AB3_tI8_139_2:4/mmm_2:4/mmm+4:-4m2",
        "AB_hR6_166_3:-3m_3:-3m",
    } <= labels


def test_the_index_is_that_of_the_subgroup_which_is_left():
    """Order of the point group times points of the lattice per volume, before and after, by another tool."""
    for crystal, element in ((PEROVSKITE, 8), (RUTILE, 22), (ROCK_SALT, 11)):
        before = len(SpacegroupAnalyzer(crystal.to_pymatgen(), 1e-3).get_symmetry_operations())
        for one in found(crystal, element, 3):
            new = child(crystal, one.form, one.chosen)
            after = len(SpacegroupAnalyzer(new.to_pymatgen(), 1e-3).get_symmetry_operations())
            assert one.index == before * len(new) / len(crystal) / after


def test_limits_hold():
    assert found(COPPER, 29, 1) == []
    assert {len(one.chosen) + one.staying for one in found(COPPER, 29, 4, max_sites=3)} == {2, 3}
    assert found(PEROVSKITE, 22, 4, max_sites=9) == []
    assert {len(one.chosen) for one in found(PEROVSKITE, 8, 1)} == {1, 2}


def test_of_many_atoms_only_small_sets_are_tried(monkeypatch):
    monkeypatch.setattr(module, "MOST_SUBSETS", 20)
    module._subsets.cache_clear()
    sizes = {len(one.chosen) for one in found(PEROVSKITE, 8, 3)}
    module._subsets.cache_clear()
    assert sizes == {1, 2, 5, 8}  # one atom or all but one of 3, 6 and 9


def test_hundreds_of_atoms_are_left_alone():
    large = Crystal(30.0 * np.eye(3), [11] * 300 + [17], np.random.default_rng(0).random((301, 3)))
    assert found(large, 11, 1) == []
