"""Fixtures that several rooms share."""

import os
import sys
from pathlib import Path

import polars as pl
import pytest

from lodestone.config.load import load_params
from lodestone.curation.labelling import energy_above_hull
from lodestone.curation.splits import split_snapshot
from lodestone.reference.prototypes import ELEMENTS
from lodestone.schemas import Crystals

# Two test processes with threads on all cores each fight for them, and burn many times the time in waiting.
os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is loaded, which is later

ROOT = Path(__file__).parents[1]
TINY = {"width": 16, "layers": 2, "members": 2, "epochs": 3, "fine_tune_epochs": 2}
# An odd batch: the gradient of the last bias is a sum of signs, and where they cancel Adam makes a step of rounding.
TINY |= {"batch_size": 9, "learning_rate": 0.01, "fine_tune_learning_rate": 0.002}


@pytest.fixture(autouse=True)
def one_copy_of_the_package():
    """MLflow puts a part of the package first on the path with each model that it loads, for all tests that follow."""
    others = [entry for entry in sys.path if (Path(entry) / "lodestone" / "__init__.py").exists()]
    sys.path[:] = [entry for entry in sys.path if entry not in others or Path(entry).resolve() == ROOT / "pipeline"]


@pytest.fixture(scope="session")
def known() -> pl.DataFrame:
    """Some 230 small crystals of the reference set and of 43 elements, dealt to train, validation and test."""
    params = load_params(ROOT / "params.yaml")
    is_usual = pl.col("chemsys").str.split("-").list.eval(pl.element().is_in(ELEMENTS)).list.all()
    rows = pl.read_parquet(ROOT / "reference" / "crystals.parquet").filter((pl.col("nsites") <= 6) & is_usual)
    rows = rows.sample(230, seed=3).sort("material_id")  # a seed by which some held-out systems are learned from
    rows = rows.with_columns(
        energy_above_hull(rows, rows["formation_energy_per_atom"].to_numpy()),
        pl.lit(None, dtype=pl.Float64).alias("source_formation_energy_per_atom"),
        pl.lit("snapshot").alias("origin"),
        pl.lit(None, dtype=pl.String).alias("created_at"),
        pl.lit("train").alias("split"),
    )
    return split_snapshot(rows, params.split).select(list(Crystals.to_schema().columns))


@pytest.fixture(scope="session")
def tiny():
    """Parameters of both views, small enough to train in a second."""
    params = load_params(ROOT / "params.yaml")
    small = {"cutoff": 5.0, "neighbors": 6}
    return {
        "composition": params.view("composition").model_copy(update=TINY),
        "structure": params.view("structure").model_copy(update=TINY | small),
    }


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the shared data sets, which are no part of the repository."""
    folder = Path(os.environ.get("LODESTONE_SHARED_DATA", ROOT / ".." / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"shared data not found in {folder}; set LODESTONE_SHARED_DATA")
    return folder
