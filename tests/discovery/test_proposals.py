"""What every generator must obey, and generators that take turns."""

import json
from dataclasses import replace
from itertools import count

import numpy as np
import polars as pl
import pytest

from lodestone.config.discovery import ElementPolicy
from lodestone.config.registry import GENERATORS
from lodestone.config.sections import Filters
from lodestone.crystals.crystal import Crystal
from lodestone.discovery.generators.base import Proposal
from lodestone.discovery.proposals import Rules, collect, propose
from lodestone.errors import LodestoneError

ELEMENTS = frozenset("Na K Cs Mg Cl Br O".split())
RULES = {"known": frozenset(), "tried": frozenset(), "elements": ELEMENTS, "filters": Filters()}
RULES |= {"max_sites": 3, "max_elements": 3}
FCC = 0.5 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])


def salt(cation, anion):
    """A proposal of rock salt."""
    return Proposal.of(Crystal(5.0 * FCC, [cation, anion], [[0, 0, 0], [0.5] * 3]), 0.5, made_of=cation)


NA, K, CS, MG, CL, BR, OX, RB = 11, 19, 55, 12, 17, 35, 8, 37


def test_each_reason_is_counted_apart():
    known, tried = salt(NA, CL), salt(K, CL)
    large = Proposal.of(Crystal(np.diag([3.0, 3, 12]), [NA, CL, CL, NA], [[0, 0, z] for z in (0, 0.2, 0.5, 0.7)]))
    element = Proposal.of(Crystal(4.0 * FCC, [NA], [[0, 0, 0]]))
    proposals = [
        known,
        known,
        tried,
        salt(CS, CL),
        salt(CS, CL),
        salt(RB, CL),
        large,
        element,
        salt(MG, CL),
        salt(NA, BR),
    ]
    rules = Rules(**RULES | {"known": {known.label}, "tried": {tried.label}})
    kept = collect({"toy": iter(proposals)}, rules, 10)
    assert kept.dropped == {"known": 2, "tried": 1, "repeated": 1, "outside": 3, "excluded": 0, "unbalanced": 1}
    assert [proposal.label for _, proposal in kept.items] == [salt(CS, CL).label, salt(NA, BR).label]


@pytest.mark.parametrize(
    "filters",
    [{"elements": ("Na", "Cl", "Br")}, {"require_any_of": ("Br",)}, {"chemical_systems": ("Br-Na", "Cl-Na")}],
)
def test_the_filters_of_the_snapshot_bind_every_generator(filters):
    proposals = [salt(NA, BR), salt(K, CL), salt(CS, CL)]
    kept = collect({"toy": iter(proposals)}, Rules(**RULES | {"filters": Filters(**filters)}), 10)
    assert [proposal.label for _, proposal in kept.items] == [salt(NA, BR).label]
    assert kept.dropped["outside"] == 2


def test_excluded_elements_bind_every_generator():
    kept = collect({"toy": iter([salt(NA, BR), salt(K, CL), salt(MG, CL)])}, Rules(**RULES | {"excluded": {"Cl"}}), 10)
    assert [proposal.label for _, proposal in kept.items] == [salt(NA, BR).label]
    assert kept.dropped == {"known": 0, "tried": 0, "repeated": 0, "outside": 0, "excluded": 2, "unbalanced": 0}


@pytest.mark.parametrize("name", ["substitution", "partial_substitution"])
def test_a_round_proposes_only_elements_that_the_policy_lets_it_use(start, params, name):
    """Known crystals of other elements are parents all the same, where these elements are replaced."""
    sections = (GENERATORS.settings(name, {"name": name}),)
    policy = ElementPolicy(excluded=("Cl", "Ti"), toxic=False)
    changes = {"generators": sections, "max_proposals": 60}
    free = params.discovery.model_copy(update=changes)
    kept, as_before = (
        propose("round_0", start, section, Filters(), params.seed)
        for section in (free.model_copy(update={"elements": policy}), free)
    )
    assert len(kept.items) == len(as_before.items) == 60
    assert all({"Cl", "Ti"}.isdisjoint(proposal.crystal.species) for _, proposal in kept.items)
    assert any(not {"Cl", "Ti"}.isdisjoint(proposal.crystal.species) for _, proposal in as_before.items)
    assert kept.dropped["excluded"] > 0 == as_before.dropped["excluded"]
    assert kept.dropped["outside"] == 0


def test_charge_balance_can_be_left_to_the_oracle():
    kept = collect({"toy": iter([salt(MG, CL)])}, Rules(**RULES | {"charge_rule": None}), 10)
    assert len(kept.items) == 1


def test_the_parameters_choose_the_charge_rule(start, params):
    dropped = {}
    for name in ("strict", "common", "off"):
        section = params.discovery.model_copy(update={"charge_balance": name})
        dropped[name] = propose("round_0", start, section, Filters(), params.seed).dropped["unbalanced"]
    assert dropped["strict"] > dropped["common"] > dropped["off"] == 0


def test_elements_without_oxidation_states_need_a_filter_or_no_rule(start, params):
    argon = start.references.head(1).with_columns(pl.lit("Ar").alias("element"))
    state = replace(start, references=pl.concat([start.references, argon]))
    with pytest.raises(LodestoneError, match="no oxidation states are known of Ar"):
        propose("round_0", state, params.discovery, Filters(), params.seed)
    elements = tuple(start.references["element"])
    assert propose("round_0", state, params.discovery, Filters(elements=elements), params.seed).items
    section = params.discovery.model_copy(update={"charge_balance": "off"})
    assert propose("round_0", state, section, Filters(), params.seed).items


def test_generators_take_turns_and_share_no_candidate():
    one, other = [salt(NA, CL), salt(K, CL), salt(CS, CL)], [salt(K, CL), salt(K, BR)]
    kept = collect({"one": iter(one), "other": iter(other)}, Rules(**RULES), 10)
    labels = [(name, proposal.label) for name, proposal in kept.items]
    assert labels == [
        ("one", salt(NA, CL).label),
        ("other", salt(K, CL).label),
        ("one", salt(CS, CL).label),
        ("other", salt(K, BR).label),
    ]
    assert kept.dropped["repeated"] == 1


def test_no_more_is_read_than_the_limit_asks_for():
    read = []

    def endless():
        for number in count():
            read.append(number)
            yield Proposal(salt(NA, CL).crystal, f"label {number}")

    assert len(collect({"endless": endless()}, Rules(**RULES), 5).items) == 5
    assert len(read) == 5


def test_provenance_is_text_with_sorted_keys():
    proposal = Proposal.of(salt(NA, CL).crystal, parent="mp-1", angle=1.5, size="2 Å")
    assert proposal.provenance_text == '{"angle": 1.5, "parent": "mp-1", "size": "2 Å"}'
    assert json.loads(proposal.provenance_text) == proposal.provenance
