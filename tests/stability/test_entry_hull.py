"""The hull of pymatgen's entries against `PhaseDiagram`: the same numbers and the same entries."""

import gzip
import json

import numpy as np
import pytest
from pymatgen.analysis.phase_diagram import PhaseDiagram
from pymatgen.core import Composition
from pymatgen.entries.computed_entries import ComputedEntry

from lodestone.errors import LodestoneError
from lodestone.stability.entries import Hull, fractions_of


def random_entries(seed: int, n: int = 60) -> list[ComputedEntry]:
    generator, elements = np.random.default_rng(seed), ["Li", "Fe", "P", "O"]
    entries = [ComputedEntry(element, float(generator.normal())) for element in elements]
    for _ in range(n):
        amounts = dict(zip(elements, generator.integers(0, 5, 4), strict=True))
        composition = Composition({element: int(amount) for element, amount in amounts.items() if amount} or {"Li": 1})
        entries.append(ComputedEntry(composition, float(generator.normal() * composition.num_atoms)))
    return entries


def assert_equal(entries):
    diagram, hull = PhaseDiagram(entries), Hull(entries)
    expected = [diagram.get_e_above_hull(entry) for entry in entries]
    assert np.allclose(hull.energies_above_hull(), expected, rtol=0, atol=1e-8)
    assert np.allclose(hull.energies_above_hull(entries), expected, rtol=0, atol=1e-8)
    forms = [diagram.get_form_energy_per_atom(entry) for entry in entries]
    assert np.allclose(hull.formation_energies(), forms, rtol=0, atol=1e-8)
    assert set(map(id, hull.stable_entries)) == set(map(id, diagram.stable_entries))
    return diagram, hull


@pytest.mark.parametrize("seed", range(5))
def test_energies_and_stable_entries_are_those_of_pymatgen(seed):
    entries = random_entries(seed)
    diagram, hull = assert_equal(entries)
    for entry in entries:
        products = hull.get_decomposition(entry.composition)
        energy = sum(amount * product.energy_per_atom for product, amount in products.items())
        assert sum(products.values()) == pytest.approx(1, abs=1e-8)
        assert energy == pytest.approx(diagram.get_hull_energy_per_atom(entry.composition), abs=1e-8)


@pytest.mark.parametrize("system", ["Fe-Li-O-P", "Cl-Mn-Na-O-Y"])
def test_on_entries_of_the_materials_project(shared_data, system):
    with gzip.open(shared_data / f"mp_entries_{system}.json.gz") as stream:
        entries = [ComputedEntry.from_dict({**one, "@class": "ComputedEntry"}) for one in json.load(stream)]
    assert_equal(entries)


def test_one_entry_at_a_time_as_pymatgen_names_it():
    entries = random_entries(7)
    diagram, hull = PhaseDiagram(entries), Hull(entries)
    below = ComputedEntry("LiFeO2", -40.0)
    assert hull.get_e_above_hull(below) == pytest.approx(diagram.get_e_above_hull(below, allow_negative=True), abs=1e-8)
    assert hull.get_form_energy_per_atom(below) == pytest.approx(diagram.get_form_energy_per_atom(below), abs=1e-8)
    assert hull.decomposition_energies([below])[0] <= hull.energies_above_hull([below])[0]


def test_every_element_needs_an_entry():
    with pytest.raises(LodestoneError, match="no entry of pure O"):
        Hull([ComputedEntry("Li", -1.0), ComputedEntry("Li2O", -9.0)])
    hull = Hull([ComputedEntry("Li", -1.0)])
    with pytest.raises(LodestoneError, match="the hull has no O"):
        hull.energies_above_hull([ComputedEntry("Li2O", -9.0)])


def test_energies_must_be_finite_and_compositions_real():
    with pytest.raises(LodestoneError, match="nan"):
        Hull([ComputedEntry("Li", float("nan"))])
    with pytest.raises(LodestoneError):
        fractions_of([Composition({})])
