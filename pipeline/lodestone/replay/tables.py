"""Read what a replay starts from: the known crystals, and a pool of initial structures with hidden labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from lodestone.crystals.compositions import atomic_fractions
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import describe
from lodestone.crystals.json_text import from_json
from lodestone.errors import LodestoneError
from lodestone.runtime.parallel import process_all
from lodestone.stability.hull import ConvexHull
from lodestone.tables.files import read_table

ENERGY = "formation_energy_per_atom"
DISTANCE = "energy_above_hull_known"
_PIECE = 2000  # crystals described by a process in one go
_COLUMNS_REMEDY = "add or rename the column; docs/replay.md lists those that a replay reads"


@dataclass(frozen=True)
class Pool:
    """Candidates whose labels are hidden from whoever chooses.

    Attributes:
        table: One row per candidate: ``material_id``, what :func:`lodestone.crystals.encoding.describe` says of the
            initial structure, and ``hull``, the energy of the known hull at its composition, eV/atom.
        initial: Initial structures.
        stable: Whether each lies on or below the hull of the known crystals, shape ``(n,)``; hidden.
    """

    table: pl.DataFrame
    initial: Sequence[Crystal]
    stable: np.ndarray

    def __len__(self) -> int:
        return len(self.stable)

    @property
    def n_stable(self) -> int:
        """How many there are to be found."""
        return int(self.stable.sum())

    def of(self, rows: np.ndarray) -> Pool:
        """Some of the candidates, by their rows."""
        return Pool(self.table[rows.tolist()], [self.initial[row] for row in rows], self.stable[rows])


def read_known(path: Path) -> pl.DataFrame:
    """The known crystals, sorted by ``material_id``: described, with energies and distances to their own hull.

    Args:
        path: Parquet table with ``material_id``, ``formation_energy_per_atom``, and ``structure`` as JSON.

    Raises:
        LodestoneError: If columns are missing, an energy is none, or a structure cannot be read; names the row.
    """
    table = _read(path, "structure")
    return on_own_hull(described(_crystals(table, "structure", path)).hstack(table.select("material_id", ENERGY)))


def on_own_hull(crystals: pl.DataFrame) -> pl.DataFrame:
    """Crystals with their distances to the hull that they make."""
    return crystals.with_columns(energy_above_hull=pl.Series(ConvexHull.of(crystals).distances))


def read_pool(path: Path, known: pl.DataFrame) -> Pool:
    """The pool, sorted by ``material_id``.

    Args:
        path: Parquet table with ``material_id``, ``formation_energy_per_atom``, and ``initial_structure`` as JSON.
            Its column ``energy_above_hull_known``, or else the hull of the known crystals, decides what is stable.
        known: What :func:`read_known` gives.

    Raises:
        LodestoneError: As for the known crystals; and if the pool shares formulas with them, or none of it is stable.
    """
    table = _read(path, "initial_structure")
    initial = _crystals(table, "initial_structure", path)
    described_pool = described(initial).hstack(table.select("material_id"))
    _refuse_shared_formulas(described_pool, known, path)
    fractions, energies = atomic_fractions([crystal.atomic_numbers for crystal in initial]), table[ENERGY].to_numpy()
    if DISTANCE in table.columns:
        distances = _finite(table, DISTANCE, path)
    else:
        distances = ConvexHull.of(known).energies_above_hull(fractions, energies)
    pool = Pool(described_pool.with_columns(hull=pl.Series(energies - distances)), initial, distances <= 0)
    if not pool.n_stable:
        raise LodestoneError(
            f"{path}: none of {len(pool)} crystals lies on or below the hull of the known ones",
            "there is nothing to find: take a larger pool, or check that both tables have energies of one scale",
        )
    return pool


def described(crystals: Sequence[Crystal]) -> pl.DataFrame:
    """The same as :func:`lodestone.crystals.encoding.describe`, on all cores."""
    pieces = {str(start): crystals[start : start + _PIECE] for start in range(0, len(crystals), _PIECE)}
    if len(pieces) < 2:
        return describe(crystals)
    tables = dict(process_all(describe, pieces, ("moyopy", "pymatgen.core")))
    return pl.concat(tables[start] for start in pieces)


def _read(path: Path, structure: str) -> pl.DataFrame:
    table = read_table(path)
    missing = [name for name in ("material_id", ENERGY, structure) if name not in table.columns]
    if missing:
        raise LodestoneError(f"{path} has no column {', '.join(missing)}", _COLUMNS_REMEDY)
    if table.is_empty():
        raise LodestoneError(f"{path} has no rows", "take a table with crystals")
    _finite(table, ENERGY, path)
    twice = table.filter(pl.col("material_id").is_duplicated())["material_id"]
    if len(twice):
        raise LodestoneError(f"{path}: material_id {twice[0]} stands twice", "give each row an identifier of its own")
    return table.with_columns(pl.col("material_id").cast(pl.String)).sort("material_id")


def _finite(table: pl.DataFrame, column: str, path: Path) -> np.ndarray:
    """A column of numbers, all of them there."""
    if not table.schema[column].is_numeric():
        raise LodestoneError(f"{path}: column {column} is of type {table.schema[column]}, not of numbers", "convert it")
    wrong = table.filter(~pl.col(column).cast(pl.Float64).is_finite().fill_null(value=False))
    if len(wrong):
        name, value = wrong["material_id"][0], wrong[column][0]
        raise LodestoneError(f"{path}: {column} of {name} is {value}", "correct or remove this row")
    return table[column].cast(pl.Float64).to_numpy()


def _crystals(table: pl.DataFrame, column: str, path: Path) -> list[Crystal]:
    crystals = []
    for name, text in table.select("material_id", column).iter_rows():
        try:
            crystals.append(from_json(text))
        except ValueError as error:
            raise LodestoneError(f"{path}: {column} of {name}: {error}", "correct or remove this row") from error
    return crystals


def _refuse_shared_formulas(pool: pl.DataFrame, known: pl.DataFrame, path: Path) -> None:
    shared = pool.filter(pl.col("formula_pretty").is_in(known["formula_pretty"].unique().implode()))
    if len(shared):
        examples = ", ".join(shared["formula_pretty"].unique(maintain_order=True).head(3))
        raise LodestoneError(
            f"{path}: {len(shared)} of {len(pool)} crystals have a formula that the known table has, too ({examples})",
            "remove them from one of the two: what is known tells their energy, and nothing would be discovered",
        )
