"""What a replay reads, and what it refuses to read."""

import numpy as np
import polars as pl
import pytest

from lodestone.crystals.compositions import atomic_fractions
from lodestone.errors import LodestoneError
from lodestone.replay import tables as module
from lodestone.replay.scales import refuse_mixed_scales
from lodestone.replay.tables import described, read_known, read_pool
from lodestone.stability.hull import ConvexHull

ENERGY = "formation_energy_per_atom"


def read(tables):
    return read_pool(tables.pool, read_known(tables.known))


def test_known_crystals_lie_on_or_above_their_own_hull(tables):
    known = read_known(tables.known)
    assert known["material_id"].to_list() == sorted(tables.known_rows["material_id"])
    hull = ConvexHull(atomic_fractions(known["atomic_numbers"].to_list()), known[ENERGY].to_numpy())
    assert known["energy_above_hull"].to_list() == pytest.approx(hull.distances.tolist())
    assert (known["energy_above_hull"] == 0).any()


def test_stable_is_what_lies_on_or_below_the_hull_of_the_known_crystals(tables):
    pool, known = read(tables), read_known(tables.known)
    hull = ConvexHull(atomic_fractions(known["atomic_numbers"].to_list()), known[ENERGY].to_numpy())
    energies = tables.pool_rows.sort("material_id")[ENERGY].to_numpy()
    expected = hull.hull_energies(atomic_fractions([crystal.atomic_numbers for crystal in pool.initial]))
    assert pool.table["hull"].to_list() == pytest.approx(expected.tolist())
    assert pool.stable.tolist() == (energies <= expected + 1e-9).tolist()
    assert 0 < pool.n_stable < len(pool)


def test_no_label_of_the_pool_is_in_its_table(tables):
    columns = read(tables).table.columns
    assert not {ENERGY, "energy_above_hull", "energy_above_hull_known", "structure"} & set(columns)


def test_given_distances_decide_what_is_stable(tables):
    distances = [-0.1] + [0.2] * (len(tables.pool_rows) - 1)
    rows = tables.pool_rows.sort("material_id").with_columns(energy_above_hull_known=pl.Series(distances))
    tables.write_pool(rows)
    pool = read(tables)
    assert pool.stable.tolist() == [True] + [False] * (len(rows) - 1)
    assert pool.table["hull"].to_list() == pytest.approx((rows[ENERGY] - rows["energy_above_hull_known"]).to_list())


def test_a_pool_needs_no_relaxed_structures(tables):
    tables.write_pool(tables.pool_rows.drop("structure"))
    assert len(read(tables)) == len(tables.pool_rows)


def test_pieces_on_all_cores_are_described_as_one(tables, monkeypatch):
    crystals = read(tables).initial
    whole = described(crystals)
    monkeypatch.setattr(module, "_PIECE", 7)
    assert described(crystals).equals(whole)


def with_pool(change):
    return lambda tables: tables.write_pool(change(tables.pool_rows.sort("material_id")))


def with_known(change):
    return lambda tables: tables.write_known(change(tables.known_rows.sort("material_id")))


def replaced(column, value):
    """A change of the first row."""
    return lambda rows: rows.with_columns(
        pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(value)).otherwise(column).alias(column)
    )


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (with_pool(lambda rows: rows.drop("initial_structure")), "pool.parquet has no column initial_structure"),
        (with_pool(lambda rows: rows.drop(ENERGY)), f"pool.parquet has no column {ENERGY}"),
        (with_known(lambda rows: rows.drop("structure", "material_id")), "has no column material_id, structure"),
        (with_known(lambda rows: rows.head(0)), "known.parquet has no rows"),
        (with_known(replaced(ENERGY, float("nan"))), f"known.parquet: {ENERGY} of .* is nan"),
        (with_pool(replaced(ENERGY, None)), f"pool.parquet: {ENERGY} of .* is None"),
        (with_pool(lambda rows: rows.with_columns(pl.col(ENERGY).cast(pl.String))), "is of type String"),
        (with_pool(replaced("initial_structure", "{")), "initial_structure of .*: it does not parse"),
        (with_pool(replaced("initial_structure", None)), "initial_structure of .*: there is no structure"),
        (with_pool(lambda rows: pl.concat([rows, rows.head(1)])), "stands twice"),
        (with_pool(lambda rows: rows.with_columns(pl.col(ENERGY) + 9)), r"none of \d+ crystals lies on or below"),
    ],
)
def test_tables_that_cannot_be_used_are_refused_by_file_and_row(tables, spoil, told):
    spoil(tables)
    with pytest.raises(LodestoneError, match=told):
        read(tables)


def test_a_pool_that_shares_formulas_with_the_known_table_is_refused(tables):
    known = read_known(tables.known).filter(pl.col("chemsys").str.contains("-")).head(2)
    shared = tables.known_rows.filter(pl.col("material_id").is_in(known["material_id"].implode()))
    extra = shared.with_columns(pl.col("structure").alias("initial_structure"), "other-" + pl.col("material_id"))
    tables.write_pool(pl.concat([tables.pool_rows, extra.select(tables.pool_rows.columns)]))
    with pytest.raises(LodestoneError, match=f"2 of {len(tables.pool_rows) + 2} crystals have a formula that") as error:
        read(tables)
    assert known["formula_pretty"][0] in str(error.value)


def test_a_missing_table_is_named(tables):
    tables.pool.unlink()
    with pytest.raises(LodestoneError, match=r"pool\.parquet does not exist"):
        read(tables)


def test_energies_of_the_pool_move_its_verdicts_only(tables):
    """Whatever the labels are, what a policy sees stays the same."""
    before = read(tables)
    moved = np.random.default_rng(0).normal(0, 0.3, len(tables.pool_rows))
    tables.write_pool(tables.pool_rows.with_columns(pl.col(ENERGY) + pl.Series(moved)))
    after = read(tables)
    assert after.table.drop("hull").equals(before.table.drop("hull"))
    assert after.table["hull"].to_list() == pytest.approx(before.table["hull"].to_list())
    assert after.stable.tolist() != before.stable.tolist()


@pytest.mark.parametrize("column", ["label_method", "correction_scheme"])
def test_energies_of_two_scales_are_refused(tables, column):
    tables.write_known(tables.known_rows.with_columns(pl.lit("MP2020").alias(column)))
    refuse_mixed_scales(tables.known, tables.pool)  # the pool says nothing of it
    tables.write_pool(tables.pool_rows.with_columns(pl.lit("MP2020").alias(column)))
    refuse_mixed_scales(tables.known, tables.pool)
    tables.write_pool(tables.pool_rows.with_columns(pl.lit("legacy").alias(column)))
    with pytest.raises(LodestoneError, match=f"more than one {column}: MP2020, legacy"):
        refuse_mixed_scales(tables.known, tables.pool)
