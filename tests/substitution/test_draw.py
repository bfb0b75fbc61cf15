"""Substitutions drawn without replacement."""

import tracemalloc
from collections import Counter

import numpy as np
import pytest

from lodestone.crystals.elements import SYMBOLS
from lodestone.substitution.draw import draw_substitutions
from lodestone.substitution.probabilities.hautier import hautier_probabilities

NA, CL, K, RB, BR, MG, OX = 11, 17, 19, 37, 35, 12, 8
ALL = np.arange(1, len(SYMBOLS))
SALTS = [np.array([NA, CL]), np.array([OX, MG]), np.array([CL, K])]


def draw(parents=SALTS, allowed=ALL, seed=0, **settings):
    return list(draw_substitutions(parents, allowed, hautier_probabilities(), np.random.default_rng(seed), **settings))


def test_every_substitution_comes_once_with_its_probability():
    substitutions, table = draw(least=0.01), hautier_probabilities()
    assert len({(one.parent, one.replacement) for one in substitutions}) == len(substitutions)
    for one in substitutions:
        assert one.probability == pytest.approx(np.prod([table[new, old] for old, new in one.replacement]))
        assert one.probability >= 0.01
        present = SALTS[one.parent]
        assert {old for old, _ in one.replacement} <= set(present)
        assert not {new for _, new in one.replacement} & set(present)
    singles = {(one.parent, *one.replacement[0]) for one in substitutions if len(one.replacement) == 1}
    likely = {
        (row, old, new)
        for row, present in enumerate(SALTS)
        for old in present.tolist()
        for new in ALL.tolist()
        if new not in present and table[new, old] >= 0.01
    }
    assert singles == likely
    assert any(len(one.replacement) == 2 for one in substitutions)


@pytest.mark.parametrize("at_first", [1, 7, 100])
def test_the_order_does_not_depend_on_how_much_of_it_is_kept(at_first):
    assert draw(at_first=at_first) == draw(at_first=10**6)


def test_the_order_does_not_depend_on_how_many_are_sorted_together(monkeypatch):
    whole = draw(least=0.005)
    monkeypatch.setattr("lodestone.substitution.draw._AT_ONCE", 10)
    assert draw(least=0.005, at_first=50) == whole


def test_the_first_is_drawn_with_its_probability_as_weight():
    table = hautier_probabilities()
    parent, allowed = [np.array([NA])], np.array([MG, K, RB])
    firsts = Counter(draw(parent, allowed, seed, least=0.0)[0].replacement[0][1] for seed in range(2000))
    weights = table[allowed, NA] / table[allowed, NA].sum()
    for z, weight in zip(allowed.tolist(), weights, strict=True):
        spread = np.sqrt(weight * (1 - weight) / 2000)
        assert firsts[z] / 2000 == pytest.approx(weight, abs=4 * spread)


def test_impossible_replacements_are_never_drawn_whatever_the_limit():
    impossible = [z for z in ALL.tolist() if not hautier_probabilities()[z].any()]
    assert impossible
    substitutions = draw(least=0.0)
    assert min(one.probability for one in substitutions) > 0
    assert not {new for one in substitutions for _, new in one.replacement} & set(impossible)
    assert draw([np.array([NA, CL])], np.array(impossible), least=0.0) == []


@pytest.mark.slow
def test_millions_of_ideas_are_not_kept():
    """5,000 parents have more than a million ideas; reading the first hundred takes a fraction of their size."""
    parents = [np.array([OX, MG, K]), np.array([NA, CL])] * 2500
    hautier_probabilities()
    tracemalloc.start()
    substitutions = draw_substitutions(parents, ALL, hautier_probabilities(), np.random.default_rng(0), at_first=100)
    first = [next(substitutions) for _ in range(100)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    ideas = sum(len(draw([one], seed=1)) for one in parents[:2]) * 2500
    assert len(first) == 100
    assert ideas > 10**6
    assert peak < 20 * ideas  # as Python tuples in a list they take 210 bytes each


def test_urgent_systems_come_first_and_change_no_draw():
    """What leads into them, or into a part of them, is moved to the front; all else keeps its order."""
    urgent = [np.array([NA, BR, MG]), np.array([K, OX])]
    plain, ordered = draw(least=0.0005), draw(least=0.0005, urgent=urgent)

    def leads_into(one):
        child = {dict(one.replacement).get(z, z) for z in SALTS[one.parent].tolist()}
        return any(child <= set(system.tolist()) for system in urgent)

    first = [one for one in plain if leads_into(one)]
    assert len(first) > 5
    assert {len(one.replacement) for one in first} == {1, 2}
    assert ordered == first + [one for one in plain if not leads_into(one)]
    assert draw(least=0.0005, urgent=urgent, at_first=3) == ordered


def test_systems_that_no_substitution_reaches_change_nothing():
    impossible = next(z for z in ALL.tolist() if not hautier_probabilities()[z].any())
    assert draw(urgent=[np.array([impossible, 2])]) == draw()


def test_partial_substitutions_may_replace_what_stays_too():
    drawn, table = draw([np.array([NA, CL])], least=0.001, partial=True), hautier_probabilities()
    assert len({one.replacement for one in drawn}) == len(drawn)
    assert all(one.probability == pytest.approx(np.prod([table[n, o] for o, n in one.replacement])) for one in drawn)
    olds = {tuple(old for old, _ in one.replacement) for one in drawn}
    assert olds == {(NA,), (CL,), (NA, CL), (CL, NA), (NA, NA), (CL, CL)}
    assert all(len({new for _, new in one.replacement}) == len(one.replacement) for one in drawn)
    split = {one.replacement for one in drawn if [old for old, _ in one.replacement] == [NA, NA]}
    assert {(other, one) for one, other in split} == split


def test_a_partial_substitution_leads_into_a_system_with_the_element_it_leaves():
    inside = [np.array(sorted([NA, K, CL])), np.array(sorted([MG, OX, K]))]
    drawn = draw(SALTS[:2], least=0.001, partial=True, urgent=inside)
    new = [set(SALTS[one.parent].tolist()) - {old for old, _ in one.replacement[1:]} for one in drawn]
    systems = [frozenset(kept | {z for _, z in one.replacement}) for kept, one in zip(new, drawn, strict=True)]
    urgent = [any(system <= set(one.tolist()) for one in inside) for system in systems]
    assert urgent == sorted(urgent, reverse=True)
    assert 0 < sum(urgent) < len(urgent)
    usual = draw(SALTS[:2], least=0.001, partial=True)
    assert sorted(usual, key=lambda one: (one.parent, one.replacement)) == sorted(
        drawn, key=lambda one: (one.parent, one.replacement)
    )
