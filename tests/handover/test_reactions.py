"""Reactions balance, and their energies are those that pymatgen computes from the same phases."""

import numpy as np
import polars as pl
import pytest
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.analysis.reaction_calculator import ComputedReaction
from pymatgen.core import Composition
from pymatgen.entries.computed_entries import ComputedEntry

from lodestone.handover.finds import finds
from lodestone.handover.phases import KnownPhases
from lodestone.handover.precursors import precursors
from lodestone.handover.reactions import KILOJOULES, Reaction, Substance
from lodestone.handover.routes import routes

# Formation energies, eV/atom, of a world of tin, sodium, carbon and oxygen.
WORLD = {
    "Na": 0.0, "Sn": 0.0, "C": 0.0, "O2": 0.0, "Na2O": -1.4, "NaO2": -0.9, "SnO": -1.6, "SnO2": -2.0, "Sn3O4": -1.6,
    "CO2": -1.4, "Na2CO3": -1.95, "NaSn": -0.2,
}  # fmt: skip
FIND = {
    "material_id": "find",
    "formula_pretty": "Na2SnO3",
    "chemsys": "Na-O-Sn",
    "formation_energy_per_atom": -2.0,
    "origin": "round_0",
}


def known(world=WORLD, find=FIND):
    rows = [
        {
            "material_id": f"phase {formula}",
            "formula_pretty": formula,
            "chemsys": "-".join(sorted(str(symbol) for symbol in Composition(formula).elements)),
            "formation_energy_per_atom": energy,
            "origin": "snapshot",
        }
        for formula, energy in world.items()
    ]
    return KnownPhases.of(pl.DataFrame([*rows, find]))


def difference(reaction: Reaction) -> dict[str, float]:
    """Atoms of each element that come out and did not go in."""
    total: dict[str, float] = {}
    for sign, side in ((-1, reaction.reactants), (1, reaction.products)):
        for one in side:
            for symbol, n in Composition(one.formula).get_el_amt_dict().items():
                total[symbol] = total.get(symbol, 0.0) + sign * n * one.amount
    return total


def energies_of(finished) -> dict[str, float]:
    table = pl.concat(finished.phases.by_system.values())
    return dict(table.select("material_id", "formation_energy_per_atom").iter_rows())


def every_reaction(finished):
    for find in finds(finished):
        yield find, find.decomposition
        for route in find.routes:
            yield find, route.reaction


def test_elements_balance_in_every_reaction_of_every_find(finished):
    n = 0
    for find, reaction in every_reaction(finished):
        n += 1
        assert max(abs(x) for x in difference(reaction).values()) < 1e-6, reaction.equation
        assert min(one.amount for one in (*reaction.reactants, *reaction.products)) > 0
        of_find = [one.amount for one in (*reaction.reactants, *reaction.products) if one.formula == find.formula]
        assert of_find == [1.0]
    assert n > finished.discoveries.height


def test_equations_balance_as_they_are_written(finished):
    for _, reaction in every_reaction(finished):
        sides = [
            sum((_parsed(term) for term in side.split(" + ")), Composition())
            for side in reaction.equation.split(" -> ")
        ]
        assert sides[0].almost_equals(sides[1], rtol=1e-3, atol=1e-3), reaction.equation


def _parsed(term: str) -> Composition:
    *amount, formula = term.split()
    return Composition(formula) * (float(amount[0]) if amount else 1.0)


def test_energies_are_those_of_pymatgen_for_the_same_phases(finished):
    energies = energies_of(finished)
    for find, reaction in every_reaction(finished):

        def entry(one: Substance) -> ComputedEntry:
            composition = Composition(one.formula)
            return ComputedEntry(composition, energies.get(one.material_id, 0.0) * composition.num_atoms)

        theirs = ComputedReaction([entry(one) for one in reaction.reactants], [entry(one) for one in reaction.products])
        amount = abs(theirs.get_coeff(Composition(find.formula)))
        assert reaction.energy == pytest.approx(theirs.calculated_reaction_energy / amount, abs=1e-5)
        assert reaction.energy_per_atom == pytest.approx(
            reaction.energy / Composition(find.formula).num_atoms, abs=1e-6
        )
        assert reaction.kilojoules == pytest.approx(KILOJOULES * reaction.energy, abs=1e-3)


def test_decompositions_are_those_of_a_phase_diagram_without_the_find(finished):
    for find in finds(finished):
        others = find.system.table.filter(pl.col("formula_pretty") != find.formula)
        entries = [
            PDEntry(Composition(formula), energy * Composition(formula).num_atoms)
            for formula, energy in others.select("formula_pretty", "formation_energy_per_atom").iter_rows()
        ]
        composition = Composition(find.formula)
        theirs = PhaseDiagram(entries).get_hull_energy_per_atom(composition)
        ours = find.decomposition.energy_per_atom + find.row["formation_energy_per_atom"]
        assert ours == pytest.approx(theirs, abs=1e-5)


def test_routes_start_from_what_a_shelf_holds():
    formulas = {route.reaction.equation: route for route in routes(FIND, known())}
    assert set(formulas) == {
        "Na2O + SnO2 -> Na2SnO3",
        "2 Na2O + O2 + 2 SnO -> 2 Na2SnO3",
        "Na2CO3 + SnO2 -> Na2SnO3 + CO2",
        "2 Na2CO3 + O2 + 2 SnO -> 2 Na2SnO3 + 2 CO2",
    }
    oxides = formulas["Na2O + SnO2 -> Na2SnO3"]
    assert oxides.kind == "compounds"
    assert oxides.precursors == ("Na2O (oxide)", "SnO2 (oxide)")
    assert oxides.reaction.energy == pytest.approx(6 * -2.0 + 3 * 1.4 + 3 * 2.0)
    released = formulas["Na2CO3 + SnO2 -> Na2SnO3 + CO2"]
    assert released.remark == "gives off CO2"
    assert released.reaction.energy == pytest.approx(6 * -2.0 - 3 * 1.4 + 6 * 1.95 + 3 * 2.0)
    burnt = formulas["2 Na2O + O2 + 2 SnO -> 2 Na2SnO3"]
    assert (burnt.kind, burnt.remark) == ("compounds in an atmosphere", "takes up O2")


def test_the_largest_driving_force_comes_first():
    forces = [route.reaction.energy_per_atom for route in routes(FIND, known())]
    assert forces == sorted(forces)
    assert len(routes(FIND, known(), most_of_a_kind=1)) == 2


def test_shelves_hold_no_unusual_valences_no_finds_and_nothing_unstable():
    names = {one.formula: one.name for one in precursors(known().within(["Na", "O", "Sn"]))}
    assert names == {"Na": "element", "Na2O": "oxide", "O2": "gas", "Sn": "element", "SnO": "oxide", "SnO2": "oxide"}
    without = known(WORLD | {"SnO": -0.2})  # far above its hull
    assert "SnO" not in {one.formula for one in precursors(without.within(["Na", "O", "Sn"]))}
    by_campaign = known(find=FIND | {"formula_pretty": "Sn2O3", "chemsys": "O-Sn"})
    assert "Sn2O3" not in {one.formula for one in precursors(by_campaign.within(["O", "Sn"]))}


def test_without_carbon_dioxide_no_carbonate_is_used():
    world = {formula: energy for formula, energy in WORLD.items() if formula != "CO2"}
    assert not [one for one in routes(FIND, known(world)) if "CO3" in one.reaction.equation]


def test_intermetallics_come_from_their_elements():
    find = FIND | {"formula_pretty": "NaSn2", "chemsys": "Na-Sn", "formation_energy_per_atom": -0.15}
    (route,) = routes(find, known(find=find))
    assert (route.reaction.equation, route.kind) == ("Na + 2 Sn -> NaSn2", "elements")


def test_amounts_without_a_small_multiple_are_decimals():
    odd = Substance("Na2O", float(np.sqrt(2)))
    reaction = Reaction(reactants=(odd,), products=(Substance("Na", 1.0),), energy=0.0, n_atoms=1)
    assert reaction.equation == "1.4142 Na2O -> Na"


def test_phases_without_structures_compete_too():
    table = pl.DataFrame(
        {"material_id": ["mp-1"], "formula_pretty": ["O3Na2Sn"], "chemsys": ["Na-O-Sn"],
         "formation_energy_per_atom": [-2.1]}
    )  # fmt: skip
    known_phases = pl.concat(known().by_system.values())
    system = KnownPhases.of(known_phases, table).within(["Na", "O", "Sn"])
    assert system.polymorphs(FIND) == [{"material_id": "mp-1", "energy_above_find_ev_per_atom": -0.1}]
    assert {one.formula for one in system.decomposition(FIND).products} == {"Na2O", "SnO2"}
