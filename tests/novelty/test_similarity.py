"""Which elements may share sites."""

import pytest

from lodestone.novelty.similarity import similar_elements


@pytest.mark.parametrize(
    ("formula", "pairs"),
    [
        ("Mg3NiO4", [("Mg", "Ni")]),  # 0.72 and 0.69 Å
        ("Ba2ZrSnO6", [("Sn", "Zr")]),
        ("BaSrTi2O6", [("Ba", "Sr")]),
        ("AlCrO3", [("Al", "Cr")]),
        ("Cs2PbCl2Br2", [("Br", "Cl")]),
        ("LiFeO2", []),  # other charges
        ("MgSrO2", []),  # other sizes
        ("NaKCl2", []),
        ("Fe3O4", []),
        ("NaCl", []),
        ("FeNi", [("Fe", "Ni")]),
        ("CuAu", []),  # other electronegativities
        ("NiAl", []),  # other numbers of electrons
        ("TiNi", []),
    ],
)
def test_pairs_of_alike_ions_and_metals(formula, pairs):
    assert similar_elements(formula) == pairs


def test_charges_are_whole_where_they_can_be():
    """Nickel of 2.67 and manganese of 2 would make manganese like magnesium; nickel of 2 and manganese of 4 will do."""
    assert similar_elements("Mg3MnNi3O8") == [("Mg", "Ni")]


def test_the_limit_is_an_argument():
    assert similar_elements("MgSrO2", most=0.7) == [("Mg", "Sr")]
    assert similar_elements("Mg3NiO4", most=0.01) == []
