"""Elements that a search must not use."""

import pytest
from pydantic import ValidationError

from lodestone.config.discovery import ElementPolicy
from lodestone.discovery.element_policy import excluded_elements
from lodestone.substitution.element_data import (
    crustal_abundances,
    price_class,
    prices,
    radioactive_elements,
    supply_concentrations,
)

SOME = ("Na", "O", "Pb", "Tl", "U", "Tc", "Bi", "Au", "Nd", "Fe")


def test_by_default_all_may_be_used_and_no_data_is_read(monkeypatch):
    monkeypatch.setattr("lodestone.discovery.element_policy.radioactive_elements", pytest.fail)
    monkeypatch.setattr("lodestone.discovery.element_policy.crustal_abundances", pytest.fail)
    monkeypatch.setattr("lodestone.discovery.element_policy.supply_concentrations", pytest.fail)
    monkeypatch.setattr("lodestone.discovery.element_policy.prices", pytest.fail)
    assert excluded_elements(SOME, ElementPolicy()) == frozenset()


@pytest.mark.parametrize(
    ("policy", "excluded"),
    [
        ({"allowed": ("Na", "O", "Fe")}, {"Pb", "Tl", "U", "Tc", "Bi", "Au", "Nd"}),
        ({"excluded": ("Fe",)}, {"Fe"}),
        ({"allowed": ("Na", "Fe"), "excluded": ("Fe",)}, set(SOME) - {"Na"}),
        ({"radioactive": False}, {"U", "Tc"}),
        ({"toxic": False}, {"Pb", "Tl"}),
        ({"min_abundance": 0.01}, {"Tc", "Au", "Bi"}),
        ({"max_supply_concentration": 9000}, {"Nd"}),
        ({"max_price": 1000}, {"Tl", "Tc", "Au"}),
    ],
)
def test_each_criterion(policy, excluded):
    assert excluded_elements(SOME, ElementPolicy(**policy)) == excluded


def test_data_as_published():
    """Oxygen and silicon are three quarters of the crust; rare earths came from one country in 2011."""
    abundances = crustal_abundances()
    assert 700_000 < abundances["O"] + abundances["Si"] < 780_000
    assert 0.97e6 < sum(abundances.values()) < 1.03e6
    assert supply_concentrations()["Nd"] == 9500
    assert {"Tc", "Pm", "Ra", "Th", "U", "Pu"} <= radioactive_elements()
    assert {"Bi", "Pb", "K", "Rb"}.isdisjoint(radioactive_elements())


@pytest.mark.filterwarnings("ignore:No Pauling electronegativity")
def test_prices_are_those_of_pymatgen_but_for_small_packs():
    from pymatgen.analysis.cost import CostAnalyzer, CostDBElements

    analyzer = CostAnalyzer(CostDBElements())
    assert len(prices()) > 70
    assert {"C", "F", "K", "Na", "P"}.isdisjoint(prices())
    for symbol, price in prices().items():
        assert price == pytest.approx(analyzer.get_cost_per_kg(symbol), rel=1e-6)


def test_the_dearest_element_decides_the_price_class():
    """By orders of magnitude, as metals were sold: iron, copper, nickel, indium, gold."""
    assert [price_class([symbol]) for symbol in ("Fe", "Cu", "Ni", "In", "Au")] == [0, 1, 2, 3, 5]
    assert price_class(["Fe", "In", "Cu", "F"]) == 3
    assert price_class(["F", "Na"]) is None


@pytest.mark.parametrize(
    "wrong", [{"allowed": ()}, {"excluded": ("Xx",)}, {"min_abundance": -1}, {"scarce": False}, {"max_price": -1}]
)
def test_wrong_policies_are_refused(wrong):
    with pytest.raises(ValidationError):
        ElementPolicy(**wrong)
