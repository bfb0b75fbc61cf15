from dataclasses import replace

import polars as pl
import pytest

from lodestone.crystals.encoding import decode
from lodestone.models.baseline import ElementBaseline
from lodestone.training.data import LabelledCrystals, TrainingData
from lodestone.training.fit import fit_member
from lodestone.training.tasks import FitTask


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
