"""How many compounds stand around a composition, and how deep below the hull crystals lie."""

from itertools import combinations

import polars as pl
import pytest

from lodestone.stability.density import compounds_within, depths


def test_compounds_are_those_of_the_system_and_its_parts_each_formula_once(known):
    systems = [*sorted(known["chemsys"].unique())[::7], "Cl-K-Li-Na", "He-Ne"]
    expected = []
    for system in systems:
        parts = {"-".join(part) for k in range(2, 9) for part in combinations(sorted(system.split("-")), k)}
        inside = known.filter(pl.col("chemsys").is_in(sorted(parts)))
        expected.append(len(set(inside["formula_pretty"])))
    assert compounds_within(systems, known) == expected
    assert max(expected) > 1
    assert expected[-1] == 0
    repeated = pl.concat([known, known.with_columns(material_id="other-" + pl.col("material_id"))])
    assert compounds_within(systems, repeated) == expected


def test_elements_are_no_compounds():
    crystals = pl.DataFrame({"formula_pretty": ["Na", "Cl2", "NaCl"], "chemsys": ["Na", "Cl", "Cl-Na"]})
    assert compounds_within(["Na", "Cl-Na"], crystals) == [0, 1]


def test_depth_is_positive_below_the_hull():
    assert depths(pl.Series([-0.3, -0.1, 0.0])) == {"n": 3, "median": pytest.approx(0.1), "max": 0.3}
    assert depths(pl.Series([], dtype=pl.Float64)) == {"n": 0, "median": None, "max": None}
