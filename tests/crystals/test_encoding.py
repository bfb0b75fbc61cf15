"""Crystals as columns: nothing is lost, whatever slice of a table is decoded."""

import numpy as np
import polars as pl
import pytest
from crystal_moves import perovskite, rocksalt, triclinic

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import decode, describe, encode
from lodestone.schemas import Structures

CRYSTALS = [triclinic(seed, sites=1 + seed % 4) for seed in range(12)]


def assert_equal(first: list[Crystal], second: list[Crystal]) -> None:
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.lattice, b.lattice)
        assert np.array_equal(a.atomic_numbers, b.atomic_numbers)
        assert np.array_equal(a.frac_coords, b.frac_coords)


def test_lossless_through_a_file(tmp_path):
    encode(CRYSTALS).write_parquet(tmp_path / "crystals.parquet")
    assert_equal(decode(pl.read_parquet(tmp_path / "crystals.parquet")), CRYSTALS)


def test_any_part_of_a_table():
    table = encode(CRYSTALS)
    assert_equal(decode(table[5:9]), CRYSTALS[5:9])
    assert_equal(decode(table.reverse()), CRYSTALS[::-1])
    odd = pl.Series([i % 2 == 1 for i in range(len(CRYSTALS))])
    assert_equal(decode(table.filter(odd)), CRYSTALS[1::2])
    assert_equal(decode(pl.concat([table, table[:2]])), CRYSTALS + CRYSTALS[:2])


@pytest.mark.parametrize("make", [encode, describe])
def test_no_crystals_have_the_same_columns(make):
    assert make([]).schema == make(CRYSTALS[:2]).schema
    assert decode(make([])) == []


def test_description():
    table = describe([rocksalt(), perovskite()])
    assert table["formula_pretty"].to_list() == ["NaCl", "SrTiO3"]
    assert table["chemsys"].to_list() == ["Cl-Na", "O-Sr-Ti"]
    assert table["nsites"].to_list() == [8, 5]
    assert table["spacegroup_number"].to_list() == [225, 221]
    Structures.validate(table.with_columns(material_id=pl.Series(["a", "b"])))
