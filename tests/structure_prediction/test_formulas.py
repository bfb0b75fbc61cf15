"""Enumeration of charge-balanced formulas, against all that there are."""

from dataclasses import replace
from itertools import combinations, islice, product
from math import comb, gcd

import numpy as np
import pytest

from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.structure_prediction.formulas import Formula, FormulaLimits, balanced_formulas
from lodestone.substitution.charges import COMMON, STRICT, is_neutral
from lodestone.substitution.oxidation_states import reported_states

FEW = "Li Mg Fe Si O".split()
NUMBERS = [ATOMIC_NUMBERS[symbol] for symbol in FEW]


def enumerated(limits, *, elements=NUMBERS, seed=0, **more):
    return list(balanced_formulas(elements, np.random.default_rng(seed), limits, **more))


def formula(**counts):
    return Formula.of(np.repeat([ATOMIC_NUMBERS[symbol] for symbol in counts], list(counts.values())))


def can_balance(symbols, counts, max_odd):
    """By every way to give usual states to all elements but a few, whose average may lie anywhere in between."""
    reported = [reported_states()[symbol] for symbol in symbols]
    usual = [[state for state, share in states.items() if share >= STRICT.least_share] for states in reported]
    known = [[state for state, share in states.items() if share >= COMMON.least_share] for states in reported]
    for odd in combinations(range(len(symbols)), min(max_odd, len(symbols))):
        for way in product(*(states for place, states in enumerate(usual) if place not in odd)):
            charges = iter(way)
            total = sum(n * next(charges) for place, n in enumerate(counts) if place not in odd)
            low, high = (total + sum(counts[place] * end(known[place]) for place in odd) for end in (min, max))
            if low <= 0 <= high:
                return True
    return False


@pytest.mark.parametrize("max_odd", [0, 1, 2])
@pytest.mark.parametrize("rule", [None, COMMON])
def test_each_balanced_formula_once_and_no_other(max_odd, rule):
    limits = FormulaLimits(max_elements=3, max_atoms=6, max_odd_states=max_odd, rule=rule)
    found = enumerated(limits)
    expected = set()
    for size in (2, 3):
        for symbols in combinations(FEW, size):
            for counts in product(range(1, 6), repeat=size):
                one = formula(**dict(zip(symbols, counts, strict=True)))
                neutral = rule is None or is_neutral(one.atomic_numbers, rule)
                if sum(counts) <= 6 and gcd(*counts) == 1 and neutral and can_balance(symbols, counts, max_odd):
                    expected.add(one)
    assert len(found) == len(set(found))
    assert set(found) == expected != set()


def test_only_some_chemical_systems_have_formulas():
    some = frozenset(formula(**dict.fromkeys(x.split("-"), 1)).elements for x in ("Fe-O", "Fe-Li-O", "Mg-Si", "Cl-K"))
    everywhere = FormulaLimits(max_elements=3, max_atoms=8)
    expected = {one for one in enumerated(everywhere) if one.elements in some}
    found = enumerated(replace(everywhere, systems=some))
    assert len(found) == len(set(found))
    assert set(found) == expected != set()
    assert found != enumerated(replace(everywhere, systems=some), seed=2)
    assert not enumerated(replace(everywhere, systems=frozenset()))


def test_an_odd_state_is_what_lets_a_zintl_phase_through():
    limits = {"max_elements": 2, "max_atoms": 19}
    silicide, oxide, wrong = formula(Li=15, Si=4), formula(Li=2, O=1), formula(Li=1, O=3)
    strict, relaxed = (set(enumerated(FormulaLimits(max_odd_states=odd, **limits))) for odd in (0, 1))
    assert oxide in strict
    assert silicide in relaxed - strict
    assert wrong not in strict


def test_limits_hold():
    few = enumerated(FormulaLimits(max_elements=2, max_atoms=5), most_per_system=1)
    assert len(few) == len({one.elements for one in few}) <= comb(5, 2)
    assert all(len(one) <= 5 for one in few)
    some = enumerated(FormulaLimits(max_elements=3, max_atoms=9, stoichiometries=frozenset({(1, 2), (1, 1, 3)})))
    assert {one.stoichiometry for one in some} == {(1, 2), (1, 1, 3)}


def test_the_order_is_drawn_and_repeatable():
    limits = FormulaLimits(max_elements=3, max_atoms=8)
    one, again, other = (enumerated(limits, seed=seed) for seed in (1, 1, 2))
    assert one == again != other
    assert set(one) == set(other)


def test_urgent_systems_come_first():
    urgent = np.array([ATOMIC_NUMBERS[symbol] for symbol in ("Mg", "Si", "O", "Ar")])  # argon is not among the elements
    limits = FormulaLimits(max_elements=3, max_atoms=6)
    found, usual = enumerated(limits, urgent=[urgent]), enumerated(limits)
    inside = [set(one.elements) <= set(urgent.tolist()) for one in found]
    assert inside == sorted(inside, reverse=True)
    assert any(inside)
    assert sorted(found, key=repr) == sorted(usual, key=repr)


def test_elements_without_states_are_left_out_and_a_large_table_starts_at_once():
    argon = ATOMIC_NUMBERS["Ar"]
    assert enumerated(FormulaLimits(max_elements=3, max_atoms=8), elements=[*NUMBERS, argon]) == enumerated(
        FormulaLimits(max_elements=3, max_atoms=8)
    )
    every = balanced_formulas(range(1, 95), np.random.default_rng(0), FormulaLimits(max_elements=5, max_atoms=10))
    assert {len(one.elements) for one in islice(every, 2000)} >= {2, 3, 4, 5}
