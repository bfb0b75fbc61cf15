"""A registered ensemble answers as its round does, wherever its store is."""

import numpy as np
import pytest

from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.prediction.model import load
from lodestone.prediction.scale import Scale
from lodestone.tracking.registry import champion
from lodestone.tracking.store import publish

CRYSTALS = [
    Crystal(np.eye(3) * length, [first, second], [[0, 0, 0], [0.5, 0.5, 0.5]])
    for first, second, length in ((11, 17, 3.6), (19, 35, 4.1), (12, 8, 3.0))
]


def test_predictions_are_those_of_the_registered_model(campaign, params, client):
    import mlflow
    import pandas as pd

    publish(campaign, params)
    uri = champion(campaign)["model"]
    model = load(uri)
    assert model.scale == Scale("toy")
    predicted = model_table(model)
    mlflow.set_tracking_uri(f"sqlite:///{campaign / 'mlflow.db'}")
    rows = pd.DataFrame(
        {
            "lattice": [crystal.lattice.ravel().tolist() for crystal in CRYSTALS],
            "atomic_numbers": [crystal.atomic_numbers.tolist() for crystal in CRYSTALS],
            "frac_coords": [crystal.frac_coords.ravel().tolist() for crystal in CRYSTALS],
        }
    )
    registered = mlflow.pyfunc.load_model(uri).predict(rows)
    for column in ("formation_energy_per_atom_pred", "formation_energy_per_atom_lower"):
        assert np.allclose(predicted[column], registered[column], rtol=0, atol=1e-6)


def model_table(model):
    """Predictions without a hull: the made-up campaign knows no phases."""
    from lodestone.prediction.inputs import queries_of
    from lodestone.prediction.table import prediction_table

    return prediction_table(model.ensemble, queries_of(CRYSTALS).good, None)


def test_a_model_that_nobody_registered_is_refused(campaign, client):
    with pytest.raises(LodestoneError, match=r"cannot be used|no ensemble"):
        load("models:/nothing@champion")


def test_without_a_store_none_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(LodestoneError, match="no MLflow store"):
        load("models:/lodestone-ensemble@champion")
    assert not list(tmp_path.iterdir())
