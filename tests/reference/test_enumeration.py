"""What is enumerated: every pair in the binary prototypes, families in their roles, no crystal twice."""

from itertools import combinations, islice
from math import prod

import pytest

from lodestone.errors import LodestoneError
from lodestone.reference.enumeration import (
    WIDE_ELEMENTS,
    enumerate_decorations,
    family_decorations,
    formula_of,
    pair_decorations,
)
from lodestone.reference.families import Family, load_families
from lodestone.reference.prototypes import all_prototypes
from lodestone.substitution.charges import is_charge_balanced

ROCK_SALT, FLUORITE, PEROVSKITE = "AB_cF8_225_a_b", "AB2_cF12_225_a_c", "AB3C_cP5_221_a_c_b"
FEW = ("Na", "Mg", "O", "Cl", "Ti")


@pytest.fixture(scope="module")
def prototypes():
    return all_prototypes()


def test_at_least_sixty_elements_and_all_that_the_set_has():
    assert len(WIDE_ELEMENTS) >= 60
    assert {"H", "Cs", "La", "Pt", "Pb", "Hg", "Na", "O"} <= set(WIDE_ELEMENTS)


def test_every_pair_is_there_in_the_common_stoichiometries_both_ways_round(prototypes):
    formulas = {formula_of(prototypes[label], x) for label, x in pair_decorations(prototypes, FEW)}
    amounts = [(1, 1), (1, 2), (1, 3), (2, 3), (3, 5), (1, 4), (1, 5), (3, 4), (2, 5), (1, 6)]
    wanted = {
        tuple(sorted(zip(pair, order, strict=True)))
        for pair in combinations(FEW, 2)
        for counts in amounts
        for order in (counts, counts[::-1])
    }
    assert wanted <= formulas


def test_several_prototypes_of_each_common_stoichiometry(prototypes):
    found = list(pair_decorations(prototypes, ("Na", "Cl")))
    for formula, fewest in ((("Cl", 1), ("Na", 1)), 30), ((("Cl", 2), ("Na", 1)), 30), ((("Cl", 3), ("Na", 1)), 15):
        assert sum(formula_of(prototypes[label], x) == formula for label, x in found) >= fewest


def test_orders_of_elements_that_give_the_same_crystal_come_once(prototypes):
    some = {label: prototypes[label] for label in (ROCK_SALT, FLUORITE)}
    found = list(pair_decorations(some, ("Na", "Cl")))
    assert sorted(label for label, _ in found) == [FLUORITE, FLUORITE, ROCK_SALT]


def test_nothing_is_enumerated_twice_and_large_cells_are_left_out(prototypes):
    found = list(enumerate_decorations(FEW, largest_cell=12))
    assert len(set(found)) == len(found)
    assert max(len(prototypes[label].crystal) for label, _ in found) == 12
    assert {x for _, elements in found for x in elements} == set(FEW)
    assert {len(elements) for _, elements in found} == {2, 3, 4}


def test_enumeration_is_lazy_and_always_in_the_same_order():
    first = list(islice(enumerate_decorations(), 50))
    assert first == list(islice(enumerate_decorations(), 50))


def test_families_have_their_elements_in_their_roles(prototypes):
    oxides = Family("test", PEROVSKITE, {"Ca": ("Sr", "Na"), "Ti": ("Ti", "Nb"), "O": ("O", "I")})
    found = {elements for _, elements in family_decorations([oxides], prototypes[PEROVSKITE], WIDE_ELEMENTS)}
    order = prototypes[PEROVSKITE].elements
    compounds = {tuple(dict(zip(order, x, strict=True))[place] for place in ("Ca", "Ti", "O")) for x in found}
    assert {("Sr", "Ti", "O"), ("Na", "Nb", "O")} <= compounds
    assert ("Sr", "Nb", "I") not in compounds  # charges do not balance
    assert all(is_charge_balanced(x, prototypes[PEROVSKITE].counts) for x in found)


def test_metals_need_no_charges(prototypes):
    heusler = Family("test", "AB2C_cF16_225_a_c_b", {"Al": ("Al",), "Cu": ("Cu",), "Mn": ("Mn", "Cu")}, charges=False)
    found = list(family_decorations([heusler], prototypes[heusler.prototype], WIDE_ELEMENTS))
    assert len(found) == 1  # copper cannot be in two places


def test_roles_that_are_not_those_of_the_prototype_are_refused(prototypes):
    wrong = Family("wrong", PEROVSKITE, {"Sr": ("Sr",)})
    with pytest.raises(LodestoneError, match=r"family wrong: roles for Sr, but AB3C_cP5_221_a_c_b has"):
        list(family_decorations([wrong], prototypes[PEROVSKITE], WIDE_ELEMENTS))


def _families():
    """All of them; those that take seconds to enumerate are slow."""
    for family in load_families():
        many = prod(map(len, family.roles.values())) > 100_000
        yield pytest.param(family, marks=pytest.mark.slow if many else (), id=family.name)


@pytest.mark.parametrize("family", _families())
def test_every_family_fits_its_prototype_and_has_members(family, prototypes):
    found = list(family_decorations([family], prototypes[family.prototype], WIDE_ELEMENTS))
    assert len(found) >= 30
    for place, elements in zip(
        prototypes[family.prototype].elements, zip(*(x for _, x in found), strict=True), strict=True
    ):
        assert set(elements) <= set(family.roles[place])


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("perovskite", {"Ca": "Sr", "Ti": "Ti", "O": "O"}),
        ("spinel", {"Mg": "Mg", "Al": "Al", "O": "O"}),
        ("ilmenite", {"Fe": "Fe", "Ti": "Ti", "O": "O"}),
        ("olivine", {"Mg": "Mg", "Si": "Si", "O": "O"}),
        ("ordered olivine", {"Li": "Li", "Fe": "Fe", "P": "P", "O": "O"}),
        ("garnet", {"Ca": "Ca", "Al": "Al", "Si": "Si", "O": "O"}),
        ("ThCr2Si2", {"Th": "Ba", "Cr": "Fe", "Si": "As"}),
        ("half-Heusler", {"Ag": "Ti", "As": "Ni", "Mg": "Sn"}),
        ("Heusler", {"Al": "Al", "Cu": "Co", "Mn": "Ti"}),
        ("pyrochlore", {"Y": "Y", "Ti": "Ti", "O": "O"}),
        ("scheelite", {"Ca": "Ca", "W": "W", "O": "O"}),
        ("chalcopyrite", {"Cu": "Cu", "Fe": "In", "S": "S"}),
        ("elpasolite", {"K": "Cs", "Na": "Na", "Al": "In", "F": "Cl"}),
        ("delafossite", {"Cu": "Cu", "Fe": "Al", "O": "O"}),
        ("layered rock salt", {"Na": "Li", "Cr": "Co", "S": "O"}),
        ("antiperovskite", {"Ca": "Al", "Ti": "C", "O": "Ti"}),
        ("MAX phase 211", {"Al": "Al", "C": "C", "Cr": "Ti"}),
        ("barite", {"Ba": "Ba", "S": "S", "O": "O"}),
        ("calcite", {"Ca": "Ca", "C": "C", "O": "O"}),
    ],
)
def test_the_compound_that_names_a_family_is_in_it(name, member, prototypes):
    [family] = [family for family in load_families() if family.name == name]
    prototype = prototypes[family.prototype]
    elements = tuple(member[place] for place in prototype.elements)
    found = {
        frozenset(zip(prototype.elements, x, strict=True)) for _, x in family_decorations([family], prototype, elements)
    }
    assert frozenset(zip(prototype.elements, elements, strict=True)) in found
