"""Crystals made anew from others of their prototype."""

import numpy as np
import polars as pl
import pytest

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import describe
from lodestone.crystals.symmetry import orbits_by_element, symmetry_of
from lodestone.substitution.probabilities import substitution_probabilities
from lodestone.substitution.unrelaxed import make_unrelaxed, replacement

FCC = 0.5 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
NA, CL, K, BR, MG, OX, CS = 11, 17, 19, 35, 12, 8, 55


def rock_salt(cation: int, anion: int, edge: float) -> Crystal:
    return Crystal(edge * FCC, [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]])


def fluorite(cation: int, anion: int, edge: float) -> Crystal:
    return Crystal(edge * FCC, [cation, anion, anion], [[0, 0, 0], [0.25] * 3, [0.75] * 3])


PARENTS = describe([rock_salt(NA, CL, 5.6), rock_salt(MG, OX, 4.2), fluorite(20, 9, 5.5), rock_salt(K, CL, 6.3)])
RNG = np.random.default_rng(0)


def test_an_analogue_has_the_label_of_its_target_and_knows_nothing_of_its_geometry():
    target = describe([rock_salt(K, BR, 6.6), rock_salt(K, BR, 9.9)])
    first, second = make_unrelaxed(target, PARENTS, RNG)
    assert symmetry_of(first).decorated == target["decorated_prototype"][0]
    assert first.digest() == second.digest()


def test_the_likeliest_parent_is_chosen():
    (found,) = make_unrelaxed(describe([rock_salt(K, BR, 6.6)]), PARENTS, RNG)
    one_step = PARENTS["decorated_prototype"].to_list().index(symmetry_of(rock_salt(K, CL, 6.3)).decorated)
    parent = orbits_by_element(PARENTS["decorated_prototype"][one_step])
    probability, new = replacement(parent, {K: parent[K], BR: parent[CL]})
    assert new == {K: K, CL: BR}
    assert probability > 0
    assert sorted(found.atomic_numbers) == [K, BR]


def test_the_own_composition_and_other_prototypes_are_no_parents():
    only_itself = PARENTS.head(1)
    assert make_unrelaxed(only_itself, only_itself, RNG) == [None]
    assert make_unrelaxed(only_itself, only_itself.clear(), RNG) == [None]
    assert make_unrelaxed(describe([fluorite(20, CL, 6.9)]), PARENTS.filter(pl.col("nsites") == 2), RNG) == [None]


def test_elements_on_unlike_orbits_do_not_change_places():
    old = orbits_by_element(symmetry_of(fluorite(20, 9, 5.5)).decorated)
    new = orbits_by_element(symmetry_of(fluorite(56, CL, 7.3)).decorated)
    assert replacement(old, new)[1] == {20: 56, 9: CL}


def test_elements_on_like_orbits_take_the_likelier_places():
    old = orbits_by_element(symmetry_of(rock_salt(NA, CL, 5.6)).decorated)
    assert old[NA] == old[CL]
    probability, new = replacement(old, {K: old[NA], BR: old[NA]})
    assert new == {NA: K, CL: BR}
    table = substitution_probabilities()
    assert probability == pytest.approx(table[K, NA] * table[BR, CL])
    assert probability > table[BR, NA] * table[K, CL]


@pytest.mark.parametrize("number", [3, 200])
def test_many_parents_are_sampled_and_the_draw_is_repeatable(number):
    parents = pl.concat([PARENTS] * number)
    target = describe([rock_salt(CS, BR, 7.0)])
    first, second = (make_unrelaxed(target, parents, np.random.default_rng(4))[0] for _ in range(2))
    assert first.digest() == second.digest()
