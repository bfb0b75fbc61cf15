"""Tables of a small replay, made from the reference set: initial structures are the relaxed ones, swollen."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from lodestone.crystals.encoding import decode
from lodestone.crystals.json_text import to_json

ENERGY = "formation_energy_per_atom"
SWOLLEN = 1.08


@dataclass(frozen=True)
class Tables:
    """Paths of both tables, and what is in them."""

    known: Path
    pool: Path
    known_rows: pl.DataFrame
    pool_rows: pl.DataFrame

    def write_known(self, rows: pl.DataFrame) -> None:
        rows.write_parquet(self.known)

    def write_pool(self, rows: pl.DataFrame) -> None:
        rows.write_parquet(self.pool)


@pytest.fixture
def tables(known, tmp_path) -> Tables:
    """Some 150 known crystals, and a pool of compounds of other formulas."""
    rows = known.with_columns(structure=pl.Series([to_json(crystal) for crystal in decode(known)]))
    swollen = [to_json(crystal.scaled_to(SWOLLEN * crystal.volume)) for crystal in decode(known)]
    rows = rows.with_columns(initial_structure=pl.Series(swollen))
    may_be = rows.filter((pl.col("split") != "validation") & pl.col("chemsys").str.contains("-", literal=True))
    formulas = may_be["formula_pretty"].unique().sort().gather_every(3)
    is_pool = pl.col("formula_pretty").is_in(formulas.implode())
    known_rows = rows.filter(~is_pool).select("material_id", ENERGY, "structure")
    pool_rows = rows.filter(is_pool).select("material_id", ENERGY, "structure", "initial_structure")
    found = Tables(tmp_path / "known.parquet", tmp_path / "pool.parquet", known_rows, pool_rows)
    found.write_known(known_rows)
    found.write_pool(pool_rows)
    return found
