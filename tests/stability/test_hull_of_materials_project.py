"""The hull on real phases: pymatgen's distances for Materials Project entries and energies."""

import gzip
import json

import numpy as np
import polars as pl
import pytest
from phases import distances_by_pymatgen, fractions_of

from pipeline.stability.hull import ConvexHull

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
        found = hull.energies_above_hull(fractions_of(amounts[inside], symbols), formation[inside])
        assert np.abs(found - expected).max() < EXACT, chosen


def _subsets(n: int) -> list[list[int]]:
    """The whole system and six seeded subsystems of two elements or more."""
    draw = np.random.default_rng(n)
    return [list(range(n))] + [sorted(draw.permutation(n)[: draw.integers(2, n)].tolist()) for _ in range(6)]


def test_random_systems(shared_data):
    from pymatgen.core import Composition

    table = pl.read_parquet(
        shared_data / "mp_energies.parquet",
        columns=["formula", "chemsys", "formation_energy_per_atom", "energy_above_hull"],
    ).with_columns(pl.col("chemsys").str.split("-").alias("elements"))
    large = table.filter(pl.col("elements").list.len() >= 3)["chemsys"].unique().sort()
    systems = large.sample(40, seed=11)
    assert {len(system.split("-")) for system in systems} >= {3, 4, 5}
    for system in systems:
        symbols = system.split("-")
        inside = table.filter(pl.col("elements").list.set_difference(symbols).list.len() == 0)
        compositions = [Composition(formula) for formula in inside["formula"]]
        amounts = np.array([[c[symbol] for symbol in symbols] for c in compositions] + np.eye(len(symbols)).tolist())
        energies = np.append(inside["formation_energy_per_atom"].to_numpy(), np.zeros(len(symbols)))
        fractions = fractions_of(amounts, symbols)
        found = ConvexHull(fractions, energies).energies_above_hull(fractions, energies)
        assert np.abs(found - distances_by_pymatgen(amounts, energies, symbols)).max() < EXACT, system
        stored = inside["energy_above_hull"].to_numpy()
        assert np.abs(found[: len(stored)] - stored).max() < 1e-6, system
