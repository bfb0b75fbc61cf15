"""Known crystals decorated with the elements of a formula."""

import numpy as np
import polars as pl
import pytest

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.crystals.encoding import describe
from lodestone.crystals.symmetry import symmetry_of
from lodestone.structure_prediction.formulas import Formula
from lodestone.structure_prediction.prototypes import Prototypes
from lodestone.substitution.probabilities.hautier import hautier_probabilities

FCC = 0.5 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
PEROVSKITE = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]


def z(*symbols):
    return [ATOMIC_NUMBERS[symbol] for symbol in symbols]


def rock_salt(cation, anion, size=5.6):
    return Crystal(size * FCC, z(cation, anion), [[0, 0, 0], [0.5] * 3])


def known(crystals, above=0.0):
    return describe(crystals).with_columns(
        material_id=pl.Series([f"mp-{n}" for n in range(len(crystals))]), energy_above_hull=pl.lit(above)
    )


CRYSTALS = [
    rock_salt("Na", "Cl"),
    rock_salt("Mg", "O", 4.2),
    Crystal(4.1 * np.eye(3), z("Cs", "Cl"), [[0, 0, 0], [0.5] * 3]),
    Crystal(3.9 * np.eye(3), z("Sr", "Ti", "O", "O", "O"), PEROVSKITE),
]


def test_a_known_prototype_is_rebuilt():
    """KCl from NaCl and from CsCl, each at a volume of its own, with the label that a symmetry search finds."""
    prototypes = Prototypes.of(known(CRYSTALS), max_sites=10)
    made = prototypes.decorations(Formula.of(np.array(z("K", "Cl"))), hautier_probabilities(), 10)
    assert {one.row for one in made} == {0, 2}
    for one in made:
        child, parent = prototypes.structure(one), CRYSTALS[one.row]
        assert symmetry_of(child).prototype == symmetry_of(parent).prototype
        assert sorted(child.species) == ["Cl", "K"]
        assert child.volume != pytest.approx(parent.volume)


def test_elements_stand_where_the_chemistry_wants_them_first():
    """Sites of NiAs differ: NiSe is made of FeS both ways, the likelier one first."""
    sites = [[0, 0, 0], [0, 0, 0.5], [1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]]
    hexagonal = [[3.6, 0, 0], [-1.8, 1.8 * 3**0.5, 0], [0, 0, 5.0]]
    parent = Crystal(hexagonal, z("Fe", "Fe", "S", "S"), sites)
    first, second = Prototypes.of(known([parent]), max_sites=4).decorations(
        Formula.of(np.array(z("Ni", "Se"))), hautier_probabilities(), 10
    )
    assert dict(first.mapping) == dict(zip(z("Fe", "S"), z("Ni", "Se"), strict=True))
    assert dict(second.mapping) == dict(zip(z("Fe", "S"), z("Se", "Ni"), strict=True))
    assert first.probability > second.probability > 0


def test_elements_on_equal_orbits_give_one_structure():
    (only,) = Prototypes.of(known(CRYSTALS[:1]), max_sites=10).decorations(
        Formula.of(np.array(z("K", "Br"))), hautier_probabilities(), 10
    )
    assert dict(only.mapping) == dict(zip(z("Na", "Cl"), z("K", "Br"), strict=True))


def test_limits_hold():
    formula = Formula.of(np.array(z("K", "Cl")))
    assert len(Prototypes.of(known(CRYSTALS), max_sites=10).decorations(formula, hautier_probabilities(), 1)) == 1
    assert not Prototypes.of(known(CRYSTALS), max_sites=1).decorations(formula, hautier_probabilities(), 5)
    assert not Prototypes.of(known(CRYSTALS, above=0.3), max_sites=10).decorations(formula, hautier_probabilities(), 5)
    assert not Prototypes.of(known(CRYSTALS), max_sites=10).decorations(
        Formula.of(np.array(z("K", "Cl", "Cl"))), hautier_probabilities(), 5
    )
