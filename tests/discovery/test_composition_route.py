"""From formulas to candidates: new and balanced ones, the lowest first, and whatever goes wrong is counted."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from world import World

from lodestone.config.sections import Filters
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.symmetry import symmetry_of
from lodestone.discovery.generators import composition
from lodestone.discovery.generators.base import Proposal
from lodestone.discovery.generators.composition import CompositionRouteParams
from lodestone.discovery.proposals import Rules, collect, propose
from lodestone.discovery.round import run_round
from lodestone.errors import LodestoneError
from lodestone.runtime.parallel import Outcome, OutOfTimeError
from lodestone.schemas import Candidates
from lodestone.structure_prediction.formulas import Formula
from lodestone.substitution.charges import COMMON, is_neutral
from lodestone.tables.files import write_table

FEW = {"formulas": 400, "compositions": 6, "prototypes": 4, "random_structures": 0}


def judge(formulas):
    """Any number that depends on nothing but the formula."""
    return np.array([np.sin(np.square(formula.atomic_numbers.astype(float)).sum()) for formula in formulas])


def formula_of(proposal):
    return Formula.of(proposal.crystal.atomic_numbers)


@pytest.fixture(scope="module")
def route(start, params):
    """Proposals of a round with this generator alone."""

    def _route(name="round_0", judge_formulas=judge, state=start, charge_balance="common", **settings):
        section = CompositionRouteParams(name="composition", **FEW | settings)
        changes = {"generators": (section,), "charge_balance": charge_balance}
        discovery = params.discovery.model_copy(update=changes)
        return propose(name, state, discovery, Filters(), params.seed, judge_formulas=judge_formulas)

    return _route


@pytest.fixture(scope="module")
def proposals(route):
    return [proposal for _, proposal in route().items]


def test_structures_are_of_new_balanced_formulas_that_the_view_puts_lowest(proposals, start):
    formulas = list(dict.fromkeys(map(formula_of, proposals)))
    assert 1 < len(formulas) <= FEW["compositions"]
    assert all(is_neutral(formula.atomic_numbers, COMMON) for formula in formulas)
    assert not {symmetry_of(one.crystal).decorated for one in proposals} & set(start.crystals["decorated_prototype"])
    known = set(start.crystals["formula_pretty"])
    assert not known & {one.crystal.to_pymatgen().composition.reduced_formula for one in proposals}
    above = judge([formula.as_crystal() for formula in formulas])
    assert above.tolist() == sorted(above)
    assert above[0] < -0.9  # of 400


def test_it_is_noted_who_has_asked_the_networks(route, start, params):
    assert route().judged == {"composition"}
    alone = propose("round_0", start, params.discovery, Filters(), params.seed, judge_formulas=judge)
    assert len(alone.items) > 0
    assert alone.judged == frozenset()


def test_only_systems_of_which_enough_is_known_are_searched(route, start):
    known = start.crystals.group_by("chemsys").len().filter(pl.col("len") >= 3)["chemsys"].to_list()
    names = {one.crystal.to_pymatgen().chemical_system for _, one in route(known_in_system=3).items}
    assert names
    assert names <= set(known)
    everywhere = {one.crystal.to_pymatgen().chemical_system for _, one in route().items}
    assert not everywhere <= set(known)


def test_labels_are_those_of_a_symmetry_search_and_parents_are_named(proposals, start):
    assert [one.label for one in proposals] == [symmetry_of(one.crystal).decorated for one in proposals]
    assert {one.provenance["parent"] for one in proposals} <= set(start.crystals["material_id"])
    assert all(">" in one.provenance["substitution"] for one in proposals)


def test_the_draw_is_repeatable_and_another_in_another_round(route, proposals):
    again, other = ([one for _, one in route(name).items] for name in ("round_0", "round_1"))
    assert [(one.label, one.crystal.digest()) for one in again] == [
        (one.label, one.crystal.digest()) for one in proposals
    ]
    assert [one.label for one in other] != [one.label for one in proposals]


def test_new_stoichiometries_are_for_those_who_ask(route, start):
    known = {Formula.of(np.array(numbers)).stoichiometry for numbers in start.crystals["atomic_numbers"]}
    asked = []

    def keep(formulas):
        asked.append({Formula.of(formula.atomic_numbers).stoichiometry for formula in formulas})
        return judge(formulas)

    for new in (False, True):
        route(judge_formulas=keep, new_stoichiometries=new)
    assert asked[0] <= known
    assert not asked[1] <= known


def test_what_cannot_be_made_is_counted_and_what_is_made_twice_dropped(route, proposals, monkeypatch):
    first = proposals[0].crystal

    def made(tasks, max_seconds):
        """Of each formula nothing but errors; of the first one, a structure that a known prototype gives, too."""
        assert max_seconds == 7
        for key in sorted(tasks, reverse=True):
            error = OutOfTimeError("hangs", "wait") if key.endswith("-1") else RuntimeError("no place")
            yield Outcome(key, first) if key == "0-0" else Outcome(key, error=error)

    monkeypatch.setattr(composition, "random_structures", made)
    monkeypatch.setattr(composition, "check_installed", lambda: None)
    found = route(random_structures=3, max_seconds=7)
    n_formulas = FEW["compositions"]
    assert [one.label for _, one in found.items] == [one.label for one in proposals]
    assert found.dropped["repeated"] == 1
    assert (found.dropped["unbuilt"], found.dropped["out_of_time"]) == (2 * n_formulas - 1, n_formulas)


def test_a_candidate_with_500_atoms_is_outside():
    numbers, places = [11, 17] * 250, np.arange(500) / 500
    large = Crystal(np.diag([4.0, 4.0, 1400.0]), numbers, np.stack([0 * places, 0 * places, places], axis=1))
    rules = Rules(frozenset(), frozenset(), {"Na", "Cl"}, Filters(), max_sites=14, max_elements=4)
    kept = collect({"composition": iter([Proposal(large, "large")])}, rules, 10)
    assert not kept.items
    assert kept.dropped["outside"] == 1


def test_without_networks_or_pyxtal_one_error_says_what_is_needed(route, monkeypatch):
    with pytest.raises(LodestoneError, match="needs an ensemble that judges formulas"):
        route(judge_formulas=None)
    monkeypatch.setattr("lodestone.structure_prediction.random_structures.find_spec", lambda _: None)
    with pytest.raises(LodestoneError, match="pyxtal"):
        route(random_structures=1)


def test_elements_without_oxidation_states_are_named_and_left_out(route, start, proposals, capsys):
    argon = start.references.head(1).with_columns(pl.lit("Ar").alias("element"))
    state = replace(start, references=pl.concat([start.references, argon]))
    found = route(state=state, charge_balance="off")
    assert "no oxidation states are known of Ar" in capsys.readouterr().err
    assert found.items
    assert all("Ar" not in one.crystal.species for _, one in found.items)


def test_a_round_screens_and_verifies_what_the_route_proposes(start, world, params, tmp_path):
    section = CompositionRouteParams(name="composition", **FEW | {"compositions": 20})
    changed = params.model_copy(update={"discovery": params.discovery.model_copy(update={"generators": (section,)})})
    own = World(world.hull, world.references)  # others count what the shared one was asked
    result = run_round("round_0", start, own, changed, own.label)
    write_table(result.candidates, tmp_path / "candidates.parquet", Candidates, sort_by="material_id")
    assert set(result.candidates["generator"]) == {"composition"}
    assert all(set(json.loads(told)) == {"parent", "substitution"} for told in result.candidates["provenance"])
    assert len(result.verifications) > 10
    assert set(result.verifications["formula_pretty"]).isdisjoint(start.crystals["formula_pretty"])
