"""A pool of candidates made from crystals of the Materials Project as screening sees them, and what is known beside it.

Formulas are dealt by hash. Those of the pool are nowhere else: not among the crystals to learn from, nor in the hull,
which is that of all other entries of the database. Each crystal of the pool is made anew from another crystal of its
prototype, by a substitution that the generator of a campaign would have drawn, at a guessed volume; where it would have
drawn none, the crystal is left out.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np
import polars as pl

from lodestone.crystals.compositions import fractions_of_formulas
from lodestone.crystals.json_text import to_json
from lodestone.crystals.soundness import why_unsound
from lodestone.replay.tables import described
from lodestone.runtime.seeds import child_generator
from lodestone.stability.hull import ConvexHull
from lodestone.substitution.unrelaxed import draw_unrelaxed
from lodestone.tables.files import write_table
from materials_project import ENERGY, crystals_of, hash_of, read_crystals

HUNDRED = 100


def make_tables(asked: Namespace) -> tuple[Path, Path]:
    """The known table and the pool, unless they are there.

    Args:
        asked: Options ``data``, ``out``, ``known``, ``pool``, ``held_out``, ``prevalence`` and ``max_sites``.

    Returns:
        Paths of both.
    """
    size = f"{asked.known}_{asked.pool}_{asked.max_sites}"
    paths = asked.out / f"known_{size}.parquet", asked.out / f"pool_{size}.parquet"
    if not all(path.is_file() for path in paths):
        table = read_crystals(asked.data).filter(pl.col("nsites") <= asked.max_sites).sort("material_id")
        is_pool = hash_of("formula") % HUNDRED < round(HUNDRED * asked.held_out)
        known, others = _drawn(table.filter(~is_pool), asked.known), table.filter(is_pool)
        pool = _pool(others, known, asked)
        entries = pl.read_parquet(asked.data / "mp_energies.parquet", columns=["formula", ENERGY])
        pool = _with_distances(pool, entries)
        write_table(known.select("material_id", "formula", ENERGY, "structure"), paths[0], sort_by="material_id")
        write_table(_enough(pool, round(asked.pool * (1 - asked.prevalence))), paths[1], sort_by="material_id")
    return paths


def _drawn(table: pl.DataFrame, number: int) -> pl.DataFrame:
    """So many crystals drawn at random, and those of all elements; 0 for all there are."""
    if not 0 < number < len(table):
        return table
    order = child_generator(0, "replay", "known").permutation(len(table))
    return table[np.sort(order[:number]).tolist()]


def _pool(others: pl.DataFrame, known: pl.DataFrame, asked: Namespace) -> pl.DataFrame:
    """The crystals that a generator would propose, each with its initial structure."""
    order = child_generator(0, "replay", "pool").permutation(len(others))
    others = others[order[: 12 * asked.pool].tolist()]
    targets, parents = (described(crystals_of(rows)) for rows in (others, known))
    parents = parents.hstack(known.select("energy_above_hull"))
    made = draw_unrelaxed(targets, parents, child_generator(0, "replay", "initial"))
    rows = [row for row, crystal in enumerate(made) if crystal is not None and why_unsound(crystal) is None]
    pool = others[rows].with_columns(initial_structure=pl.Series([to_json(made[row]) for row in rows]))
    lowest = pool.sort(ENERGY, "material_id").unique("initial_structure", keep="first", maintain_order=True)
    return pool.filter(pl.col("material_id").is_in(lowest["material_id"].implode()))


def _with_distances(pool: pl.DataFrame, entries: pl.DataFrame) -> pl.DataFrame:
    """Distances to the hull of all entries of other formulas."""
    others = entries.filter(~pl.col("formula").is_in(pool["formula"].unique().implode()))
    hull = ConvexHull(fractions_of_formulas(others["formula"]), others[ENERGY].to_numpy())
    fractions = fractions_of_formulas(pool["formula"])
    distances = hull.energies_above_hull(fractions, pool[ENERGY].to_numpy())
    kept = ("material_id", "formula", ENERGY, "structure", "initial_structure")
    return pool.select(*kept, energy_above_hull_known=pl.Series(distances))


def _enough(pool: pl.DataFrame, n_unstable: int) -> pl.DataFrame:
    """The first rows, up to so many unstable crystals."""
    unstable = (pool["energy_above_hull_known"] > 0).cum_sum()
    return pool.filter(unstable <= n_unstable)
