"""Ordered crystals of similar elements are flagged; those whose elements differ, or have sites of their own, are not.

The first crystals are five of those that a laboratory reported as new in 2023 and that are disordered (Leeman et al.,
PRX Energy 3, 011002 (2024)), written from their ideal structure types.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from structure_types import (
    double_perovskite,
    ilmenite,
    l1_0,
    layered_rock_salt,
    murdochite,
    ordered_rock_salt,
    perovskite,
    relaxed,
    rock_salt,
    spinel,
)

from lodestone.crystals.encoding import describe, reduced_formula
from lodestone.crystals.supercells import supercell
from lodestone.novelty.disorder import disorder, likely_disorder, n_families

REPORTED_AS_NEW = {
    "Mg3NiO4": (ordered_rock_salt("Ni", "Mg", "O", 4.2), "Mg/Ni", "(Mg,Ni)O AB_cF8_225_"),
    "Ba2ZrSnO6": (double_perovskite("Ba", "Zr", "Sn", "O", 8.2, 0.255), "Sn/Zr", "Ba(Sn,Zr)O3 ABC3_cP5_221_"),
    "Zn2Cr3FeO8": (spinel("Zn", ("Cr", "Cr", "Cr", "Fe"), "O", 8.35), "Cr/Fe", "Zn(Cr,Fe)2O4 AB2C4_cF56_227_"),
    "Mg3MnNi3O8": (murdochite("Mg", "Ni", "Mn", 8.38), "Mg/Ni", "(Mg,Ni)6MnO8 AB6C8_cF60_225_"),
    "MgTi2NiO6": (ilmenite("Mg", "Ni", "Ti"), "Mg/Ni", "(Mg,Ni)TiO3 ABC3_hR30_148_"),
}
ORDERED = {
    "NaCl": rock_salt("Na", "Cl", 5.6),
    "CaTiO3": perovskite("Ca", "Ti", "O", 3.85),
    "MgAl2O4": spinel("Mg", ("Al",) * 4, "O", 8.08),
    "LiCoO2": layered_rock_salt("Li", "Co", "O", 4.0, 0.26),  # the sites of a rock salt, but charges of 1 and 3
    "Sr2MgWO6": double_perovskite("Sr", "Mg", "W", "O", 7.9),  # those of a perovskite, but charges of 2 and 6
    "MgSrO2": layered_rock_salt("Mg", "Sr", "O", 4.7),  # charges of 2, but 0.72 and 1.18 Å
    "CuAu": l1_0("Cu", "Au", 3.9),  # like sizes, but electronegativities of 1.9 and 2.5
    "CdZnGa2O8": spinel("Zn", ("Ga",) * 4, "O", 8.3),
}


@pytest.mark.parametrize("formula", REPORTED_AS_NEW)
@pytest.mark.parametrize("change", [lambda crystal: crystal, relaxed], ids=["ideal", "relaxed"])
def test_disordered_crystals_that_were_reported_as_new_and_ordered_are_flagged(formula, change):
    crystal, elements, family = REPORTED_AS_NEW[formula]
    assert reduced_formula(crystal.atomic_numbers) == formula
    found = likely_disorder(change(crystal), formula)
    assert found is not None
    assert found.elements == elements
    assert found.family.startswith(family)


@pytest.mark.parametrize("formula", ORDERED)
@pytest.mark.parametrize("change", [lambda crystal: crystal, relaxed], ids=["ideal", "relaxed"])
def test_crystals_of_elements_that_differ_are_not(formula, change):
    crystal = change(ORDERED[formula])
    assert likely_disorder(crystal, reduced_formula(crystal.atomic_numbers)) is None


def test_similar_elements_on_sites_of_different_symmetry_are_not_flagged():
    """Zn on tetrahedra and Mg on octahedra: no symmetry makes one the other."""
    crystal = spinel("Zn", ("Mg",) * 4, "O", 8.4)
    assert likely_disorder(crystal, reduced_formula(crystal.atomic_numbers)) is None


def test_anions_share_sites_as_cations_do():
    crystal = layered_rock_salt("Cl", "Br", "Na", 5.8)
    assert likely_disorder(crystal, "Na2BrCl") == likely_disorder(relaxed(crystal), "Na2BrCl") is not None


def test_the_answer_does_not_depend_on_cell_or_order_of_atoms():
    crystal = REPORTED_AS_NEW["Mg3NiO4"][0]
    doubled = supercell(crystal, ((1, 0, 0), (0, 2, 0), (0, 0, 1)))
    order = np.random.default_rng(0).permutation(len(doubled))
    shuffled = type(crystal)(doubled.lattice, doubled.atomic_numbers[order], doubled.frac_coords[order])
    assert likely_disorder(crystal, "Mg3NiO4") == likely_disorder(shuffled, "Mg3NiO4")


def test_ordered_children_of_one_disordered_parent_are_one_family():
    """Two orders of magnesium and nickel in rock salt, in two proportions, and others."""
    children = [REPORTED_AS_NEW["Mg3NiO4"][0], ordered_rock_salt("Mg", "Ni", "O", 4.2)]
    children += [layered_rock_salt("Mg", "Ni", "O", 4.2)]
    others = [ORDERED["NaCl"], ORDERED["LiCoO2"], REPORTED_AS_NEW["Ba2ZrSnO6"][0]]
    table = disorder(describe(children + others))
    assert table["likely_disorder"].to_list() == ["Mg/Ni"] * 3 + [None, None, "Sn/Zr"]
    assert table["disorder_family"][:3].n_unique() == 1
    assert n_families(table) == 4
    assert n_families(table.sample(fraction=1.0, shuffle=True, seed=1)) == 4


def test_no_crystal_is_no_family():
    table = disorder(describe([]))
    assert (len(table), n_families(table)) == (0, 0)
    assert table.schema == pl.Schema({"likely_disorder": pl.String, "disorder_family": pl.String})
