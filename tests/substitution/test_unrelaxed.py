"""Crystals made anew from others of their prototype."""

import numpy as np
import polars as pl
import pytest

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import describe
from lodestone.crystals.symmetry import orbits_by_element, symmetry_of
from lodestone.substitution.parents import draw_parent, families, near_hull, sorted_elements
from lodestone.substitution.probabilities.hautier import hautier_probabilities
from lodestone.substitution.unrelaxed import draw_unrelaxed, make_unrelaxed, replacement

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
    (unrelaxed,) = make_unrelaxed(describe([rock_salt(K, BR, 6.6)]), PARENTS, RNG)
    one_step = PARENTS["decorated_prototype"].to_list().index(symmetry_of(rock_salt(K, CL, 6.3)).decorated)
    parent = orbits_by_element(PARENTS["decorated_prototype"][one_step])
    probability, new = replacement(parent, {K: parent[K], BR: parent[CL]})
    assert new == {K: K, CL: BR}
    assert probability > 0
    assert sorted(unrelaxed.atomic_numbers) == [K, BR]


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
    table = hautier_probabilities()
    assert probability == pytest.approx(table[K, NA] * table[BR, CL])
    assert probability > table[BR, NA] * table[K, CL]


@pytest.mark.parametrize("number", [3, 200])
def test_many_parents_are_sampled_and_the_draw_is_repeatable(number):
    parents = pl.concat([PARENTS] * number)
    target = describe([rock_salt(CS, BR, 7.0)])
    first, second = (make_unrelaxed(target, parents, np.random.default_rng(4))[0] for _ in range(2))
    assert first.digest() == second.digest()


NEAR = PARENTS.with_columns(energy_above_hull=pl.lit(0.0))


def parent_of(label, parents=NEAR, seed=0):
    prototype = "_".join(["AB", *PARENTS["prototype"][0].split("_")[1:]])
    relatives = families(near_hull(parents))[prototype]
    return draw_parent(relatives, label, hautier_probabilities(), np.random.default_rng(seed))


@pytest.fixture
def salt():
    """Rock salt of caesium and bromine."""
    return symmetry_of(rock_salt(CS, BR, 7.0)).decorated


def test_parents_are_drawn_with_their_probability_as_weight(salt):
    """As the generator of candidates would come upon them: from NaCl more often than from MgO, and not always."""
    parents = [parent_of(salt, seed=seed) for seed in range(4000)]
    target = orbits_by_element(salt)
    labels = NEAR["decorated_prototype"].to_list()
    weights = {row: replacement(orbits_by_element(labels[row]), target)[0] for row in (0, 1, 3)}
    likely = {row: weight for row, weight in weights.items() if weight >= 0.001}
    assert len(likely) >= 2
    assert set(parents) == set(likely)
    for row, weight in likely.items():
        share = weight / sum(likely.values())
        assert parents.count(row) / 4000 == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 4000))


def test_parents_far_above_the_hull_have_no_children(salt):
    far = NEAR.with_columns(
        pl.when(pl.col("formula_pretty") == "NaCl").then(0.11).otherwise(0.1).alias("energy_above_hull")
    )
    parents = {parent_of(salt, far, seed) for seed in range(200)}
    assert "NaCl" not in {NEAR["formula_pretty"][row] for row in parents}
    assert parents
    assert draw_unrelaxed(describe([rock_salt(CS, BR, 7.0)]), far.clear(), RNG) == [None]


def test_what_no_generator_would_propose_has_no_unrelaxed_structure(salt):
    """Its own composition, improbable replacements, more than two replaced elements, another prototype."""
    own = NEAR.filter(pl.col("formula_pretty") == "NaCl")
    assert draw_unrelaxed(own, own, RNG) == [None]
    family = families(near_hull(NEAR))[NEAR["prototype"][0]]
    assert draw_parent(family, salt, hautier_probabilities(), RNG, least=1.0) is None
    assert not family.probabilities(np.array(sorted_elements(salt)[1]), hautier_probabilities(), most=1)[:2].any()
    assert draw_unrelaxed(describe([fluorite(20, CL, 6.9)]), NEAR.filter(pl.col("nsites") == 2), RNG) == [None]


def test_a_drawn_structure_has_the_label_and_volume_of_a_child(salt):
    target = describe([rock_salt(CS, BR, 7.0), rock_salt(CS, BR, 12.0)])
    one, other = (draw_unrelaxed(target[[row]], NEAR, np.random.default_rng(5))[0] for row in (0, 1))
    assert symmetry_of(one).decorated == salt
    assert one.digest() == other.digest()  # nothing of the target's geometry is read


def test_probabilities_of_families_are_those_of_single_replacements():
    """All orders of elements on like orbits are looked at, and the likeliest counts."""
    family = families(near_hull(NEAR))[NEAR["prototype"][0]]
    for target in (rock_salt(K, BR, 6.6), rock_salt(OX, MG, 4.0), rock_salt(NA, BR, 6.0)):
        label = symmetry_of(target).decorated
        probabilities = family.probabilities(np.array(sorted_elements(label)[1]), hautier_probabilities())
        for row, probability in zip(family.rows, probabilities, strict=True):
            old = orbits_by_element(NEAR["decorated_prototype"][int(row)])
            expected, new = replacement(old, orbits_by_element(label))
            same = all(one == other for one, other in new.items())
            assert probability == pytest.approx(0.0 if same else expected)
