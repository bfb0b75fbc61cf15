from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from pipeline.crystals.encoding import decode
from pipeline.labelling import energy_above_hull
from pipeline.learning.baseline import ElementBaseline
from pipeline.learning.data import LabelledCrystals, TrainingData
from pipeline.learning.fit import fit_member
from pipeline.learning.tasks import FitTask
from pipeline.params import load_params
from pipeline.schemas import Crystals
from pipeline.splits import split_snapshot

ROOT = Path(__file__).parents[2]
TINY = {"width": 16, "layers": 2, "members": 2, "epochs": 3, "fine_tune_epochs": 2}
# An odd batch: the gradient of the last bias is a sum of signs, and where they cancel Adam makes a step of rounding.
TINY |= {"batch_size": 9, "learning_rate": 0.01, "fine_tune_learning_rate": 0.002}


@pytest.fixture(scope="session")
def known() -> pl.DataFrame:
    """Some 230 small crystals of the reference set, dealt to train, validation and test."""
    params = load_params(ROOT / "params.yaml")
    rows = pl.read_parquet(ROOT / "reference" / "crystals.parquet").filter(pl.col("nsites") <= 6)
    rows = rows.sample(230, seed=0).sort("material_id")
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
    small = {"cutoff": 5.0, "neighbours": 6}
    return {
        "composition": params.composition.model_copy(update=TINY),
        "structure": params.structure.model_copy(update=TINY | small),
    }


@pytest.fixture(autouse=True)
def _files_of_their_own(tmp_path, monkeypatch):
    """No test finds the checkpoints of another, nor leaves any."""
    monkeypatch.setenv("LODESTONE_CHECKPOINTS", str(tmp_path / "checkpoints"))
    monkeypatch.setenv("LODESTONE_DEVICE", "cpu")


@pytest.fixture(scope="session")
def labelled(known):
    """Some 150 crystals to learn from and 30 to validate on."""

    def part(name, n):
        rows = known.filter(pl.col("split") == name).head(n)
        return LabelledCrystals(decode(rows), rows["formation_energy_per_atom"].to_numpy())

    return part("train", 150), part("validation", 30)


@pytest.fixture(scope="session")
def baseline(labelled):
    return ElementBaseline.fit(labelled[0].fractions(), labelled[0].energies)


@pytest.fixture(scope="session")
def task(labelled, baseline, tiny):
    """Makes the task of fitting one member to these crystals."""
    data = {view: TrainingData.prepare(view, params, *labelled, baseline) for view, params in tiny.items()}

    def _task(view, **changes):
        return replace(FitTask(view, tiny[view], 0, 7, data[view]), **changes)

    return _task


@pytest.fixture(scope="session")
def fitted(task):
    """One member of each view, fitted in this process."""
    return {view: fit_member(task(view)) for view in ("composition", "structure")}
