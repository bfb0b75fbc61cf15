"""Some atoms of an element replaced, along symmetry."""

import numpy as np
import polars as pl
import pytest

from lodestone.config.registry import GENERATORS
from lodestone.config.sections import Filters
from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.crystals.encoding import decode
from lodestone.crystals.symmetry import symmetry_of
from lodestone.discovery.generators.base import Known
from lodestone.discovery.proposals import Rules, collect, propose
from lodestone.substitution.charges import COMMON, is_neutral
from lodestone.substitution.volumes import AtomicVolumes

ALLOWED = frozenset("Li Na K Mg Ca Sr Ba Al Zn Ti O S Se F Cl Br".split())
ALL = 10**6


def candidates_of(crystals, name="partial_substitution", *, elements=ALLOWED, limit=ALL, seed=0, **changes):
    """What a round would screen, and what it would drop."""
    limits = {key: changes.pop(key, value) for key, value in {"max_sites": 14, "max_elements": 4}.items()}
    rule, incomplete = changes.pop("rule", COMMON), changes.pop("incomplete", frozenset())
    generator = GENERATORS.make(name, GENERATORS.settings(name, {"name": name} | changes))
    known = Known(crystals, elements, **limits, charge_rule=rule, incomplete=incomplete)
    rules = Rules(
        known=frozenset(crystals["decorated_prototype"]),
        tried=frozenset(),
        elements=elements,
        filters=Filters(),
        charge_rule=rule,
        **limits,
    )
    kept = collect({name: generator.propose(known, np.random.default_rng(seed), limit)}, rules, limit)
    return [proposal for _, proposal in kept.items], kept.dropped


FEW = frozenset("Li Na K Mg Ca Al Ti O S F".split())


@pytest.fixture(scope="module")
def parents(known):
    """Six parents of as many prototypes."""
    near = known.filter(
        pl.col("energy_above_hull") <= 0.1,
        pl.col("nsites").is_between(2, 6),
        pl.col("chemsys").str.contains("-"),
        pl.col("chemsys").str.split("-").list.eval(pl.element().is_in(FEW)).list.all(),
    )
    return near.sort("material_id").unique("prototype", keep="first", maintain_order=True)[::3][:6]


@pytest.fixture(scope="module")
def proposals(parents):
    """All that partial substitution makes of them."""
    return candidates_of(parents, elements=FEW, orderings_per_substitution=10_000)


def of_prototype(known, formula, number):
    return known.filter(pl.col("formula_pretty") == formula, pl.col("spacegroup_number") == number)


def test_ten_times_as_many_as_whole_substitution_from_the_same_parents(parents, proposals):
    whole, _ = candidates_of(parents, "substitution", elements=FEW)
    assert len(parents) == 6
    assert len(proposals[0]) > 10 * len(whole) > 0


def test_all_are_neutral_and_distinct_and_few_are_dropped(proposals):
    kept, dropped = proposals
    assert len({proposal.label for proposal in kept}) == len(kept)
    assert all(is_neutral(proposal.crystal.atomic_numbers, COMMON) for proposal in kept)
    assert dropped["unbalanced"] == 0
    assert dropped["known"] + dropped["outside"] < 0.05 * len(kept)


def test_labels_are_those_of_a_symmetry_search(proposals):
    """The tolerance is 0.1 Å whatever the volume, so a few borderline cells change their label when they shrink."""
    some = proposals[0][:: max(len(proposals[0]) // 400, 1)]
    assert len(some) >= 400
    same = sum(symmetry_of(proposal.crystal).decorated == proposal.label for proposal in some)
    assert same >= 0.97 * len(some)


def test_most_have_a_prototype_that_no_known_crystal_has(known, proposals):
    prototypes = set(known["prototype"])
    some = proposals[0][::50]
    new = sum(symmetry_of(proposal.crystal).prototype not in prototypes for proposal in some)
    assert new > 0.5 * len(some)


def test_children_follow_from_parents_by_what_the_provenance_tells(parents, proposals):
    crystals = decode(parents)
    by_name, volumes = dict(zip(parents["material_id"], crystals, strict=True)), AtomicVolumes.fit(crystals)
    split = 0
    for proposal in proposals[0][::97]:
        parent, child = by_name[proposal.provenance["parent"]], proposal.crystal
        first, *second = proposal.provenance["substitution"].split(",")
        pair, _, share = first.partition(":")
        (old, new), (chosen, total) = (ATOMIC_NUMBERS[x] for x in pair.split(">")), map(int, share.split("/"))
        cells = total / np.count_nonzero(parent.atomic_numbers == old)
        expected = {
            int(z): cells * int(n) for z, n in zip(*np.unique(parent.atomic_numbers, return_counts=True), strict=True)
        }
        expected |= {old: total - chosen, new: chosen}
        for a, b in (tuple(ATOMIC_NUMBERS[x] for x in pair.split(">")) for pair in second):
            expected[b] = expected.pop(a)
            split += a == old
        numbers, counts = np.unique(child.atomic_numbers, return_counts=True)
        assert dict(zip(numbers.tolist(), counts.tolist(), strict=True)) == expected
        ratio = volumes.values[child.atomic_numbers].sum() / volumes.values[parent.atomic_numbers].sum()
        assert child.volume == pytest.approx(parent.volume * ratio)
    assert split > 0


def test_a_double_perovskite_from_a_perovskite(known):
    """Sr2MgWO6 and its like: rock-salt order, in which two elements take the places of one."""
    parent = of_prototype(known, "CaTiO3", 221)
    assert len(parent) == 1
    elements = frozenset(["Ca", "Ti", "O", "Al", "Nb"])
    kept, _ = candidates_of(
        parent, elements=elements, min_substitution_probability=0.0, orderings_per_substitution=10_000, max_sites=10
    )
    assert "cF40_225_Al=4:m-3m_Ca2=8:-43m_Nb=4:m-3m_O6=24:4m.m" in {proposal.label for proposal in kept}


def test_limits_hold(known):
    kept, _ = candidates_of(known, limit=40, max_sites=8, max_elements=3)
    assert len(kept) == 40
    assert max(len(proposal.crystal) for proposal in kept) <= 8
    assert {len(set(proposal.crystal.species)) for proposal in kept} == {3}


def test_the_seed_decides_and_more_symmetric_ones_come_more_often(parents, proposals):
    draws = [candidates_of(parents, elements=FEW, orderings_per_substitution=1, seed=seed)[0] for seed in (0, 0, 1)]
    first, again, other = ([one.label for one in draw] for draw in draws)
    assert first == again != other
    assert np.array_equal(draws[0][-1].crystal.frac_coords, draws[1][-1].crystal.frac_coords)
    drawn, all_of_them = (
        np.mean([np.log(one.provenance["subgroup_index"]) for one in some]) for some in (draws[0], proposals[0])
    )
    assert drawn < all_of_them - 0.2


def test_without_a_charge_rule_any_are_proposed(parents):
    kept, dropped = candidates_of(parents, rule=None, limit=300)
    assert any(not is_neutral(proposal.crystal.atomic_numbers, COMMON) for proposal in kept)
    assert dropped["unbalanced"] == 0


def test_incomplete_systems_come_first(known):
    kept, _ = candidates_of(known, limit=20, incomplete=frozenset({"Ca-Mg-O-Se"}))
    assert all(set(proposal.crystal.species) <= {"Ca", "Mg", "O", "Se"} for proposal in kept)


def test_nothing_to_replace_is_no_error(known):
    assert candidates_of(known.filter(pl.col("nsites") == 14), max_cells=1, max_sites=2)[0] == []


def test_it_takes_turns_with_whole_substitution_in_a_round(start, params):
    names = ("substitution", "partial_substitution")
    sections = tuple(GENERATORS.settings(name, {"name": name}) for name in names)
    section = params.discovery.model_copy(update={"generators": sections, "max_proposals": 60})
    kept = propose("round_0", start, section, Filters(), params.seed)
    assert [name for name, _ in kept.items] == [*names] * 30
    alone = propose("round_0", start, params.discovery.model_copy(update={"max_proposals": 30}), Filters(), params.seed)
    assert [one.label for name, one in kept.items if name == "substitution"][:20] == [
        one.label for _, one in alone.items
    ][:20]
