from pathlib import Path

import polars as pl
import pytest

from pipeline.labelling import energy_above_hull
from pipeline.params import load_params
from pipeline.schemas import Crystals

ROOT = Path(__file__).parents[2]
ELEMENTS = frozenset("Li Na K Mg Ca Sr Ba Al Zn Ti O S Se F Cl Br".split())


@pytest.fixture(scope="session")
def reference() -> pl.DataFrame:
    """Every crystal of the reference set, on its own hull."""
    rows = pl.read_parquet(ROOT / "reference" / "crystals.parquet").sort("material_id")
    return rows.with_columns(
        energy_above_hull(rows, rows["formation_energy_per_atom"].to_numpy()),
        pl.lit(None, dtype=pl.Float64).alias("source_formation_energy_per_atom"),
        pl.lit("snapshot").alias("origin"),
        pl.lit(None, dtype=pl.String).alias("created_at"),
        pl.lit("train").alias("split"),
    ).select(list(Crystals.to_schema().columns))


@pytest.fixture(scope="session")
def known(reference) -> pl.DataFrame:
    """The 321 crystals made of sixteen elements."""
    return reference.filter(pl.col("chemsys").str.split("-").list.eval(pl.element().is_in(ELEMENTS)).list.all())


@pytest.fixture(scope="session")
def discovery():
    return load_params(ROOT / "params.yaml").discovery
