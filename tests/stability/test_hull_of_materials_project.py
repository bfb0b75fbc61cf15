"""The hull on real phases: pymatgen's distances for Materials Project entries and energies."""

import gzip
import json
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from phases import distances_by_pymatgen, fractions_of
from pymatgen.core import Composition

from lodestone.crystals.compositions import fractions_of_formulas
from lodestone.stability.hull import ConvexHull

EXACT = 1e-9  # eV/atom


@pytest.mark.parametrize("name", ["Fe-Li-O-P", "Cl-Mn-Na-O-Y"])
def test_subsystems_of_whole_systems(shared_data, name):
    symbols = name.split("-")
    entries = json.loads(gzip.decompress((shared_data / f"mp_entries_{name}.json.gz").read_bytes()))
    amounts = np.array([[entry["composition"].get(symbol, 0) for symbol in symbols] for entry in entries])
    totals = np.array([entry["energy"] + entry["correction"] for entry in entries]) / amounts.sum(axis=1)
    fractions = amounts / amounts.sum(axis=1, keepdims=True)
    references = [totals[fractions[:, j] == 1].min() for j in range(len(symbols))]
    formation = totals - fractions @ references
    hull = ConvexHull(fractions_of(amounts, symbols), formation)
    for columns in _subsets(len(symbols)):
        inside = ~np.delete(amounts, columns, axis=1).any(axis=1)
        chosen = [symbols[j] for j in columns]
        expected = distances_by_pymatgen(amounts[inside][:, columns], totals[inside], chosen)
        computed = hull.energies_above_hull(fractions_of(amounts[inside], symbols), formation[inside])
        assert np.abs(computed - expected).max() < EXACT, chosen


def _subsets(n: int) -> list[list[int]]:
    """Every subsystem of two elements or more."""
    return [list(chosen) for size in range(2, n + 1) for chosen in combinations(range(n), size)]


@pytest.fixture(scope="module")
def table(shared_data) -> pl.DataFrame:
    return pl.read_parquet(
        shared_data / "mp_energies.parquet",
        columns=["formula", "chemsys", "formation_energy_per_atom", "energy_above_hull"],
    ).with_columns(pl.col("chemsys").str.split("-").alias("elements"))


@pytest.mark.slow
def test_every_row_of_the_materials_project(table):
    fractions, energies = (
        fractions_of_formulas(table["formula"]),
        table["formation_energy_per_atom"].to_numpy(),
    )
    hull = ConvexHull(fractions, energies)
    assert np.abs(hull.distances - table["energy_above_hull"].to_numpy()).max() < EXACT
    last = len(energies) - 1000  # a thousand crystals arrive late
    grown = ConvexHull(fractions[:last], energies[:last]).with_phases(fractions[last:], energies[last:])
    assert np.abs(grown.distances - hull.distances).max() < EXACT


@pytest.mark.slow
def test_decomposition_energies_of_published_compositions(shared_data):
    table = pl.read_parquet(shared_data / "mp_compositions.parquet")
    fractions, energies = (
        fractions_of_formulas(table["formula"]),
        table["formation_energy_per_atom"].to_numpy(),
    )
    computed = ConvexHull(fractions, energies).decomposition_energies(fractions, energies)
    assert np.abs(computed - table["decomposition_energy"].to_numpy()).max() < EXACT


@pytest.mark.slow
def test_random_systems(table):
    systems = table["chemsys"].unique().sort().sample(500, seed=11)
    assert {len(system.split("-")) for system in systems} >= {2, 3, 4, 5, 6}
    rows: dict[frozenset[str], list[int]] = {}
    for row, elements in enumerate(table["elements"].to_list()):
        rows.setdefault(frozenset(elements), []).append(row)
    hull = ConvexHull(fractions_of_formulas(table["formula"]), table["formation_energy_per_atom"].to_numpy())
    for system in systems:
        symbols = system.split("-")
        subsets = (s for size in range(1, len(symbols) + 1) for s in combinations(symbols, size))
        inside = [row for subset in subsets for row in rows.get(frozenset(subset), ())]
        energies = np.append(table["formation_energy_per_atom"].to_numpy()[inside], np.zeros(len(symbols)))
        compositions = [Composition(formula) for formula in table["formula"][inside]]
        amounts = np.array([[c[symbol] for symbol in symbols] for c in compositions] + np.eye(len(symbols)).tolist())
        computed = hull.energies_above_hull(fractions_of(amounts, symbols), energies)
        assert np.abs(computed - distances_by_pymatgen(amounts, energies, symbols)).max() < EXACT, system
