"""A campaign's folder is moved, copied, or loses its files: what the registry names can be loaded, from there."""

import os
import shutil

import mlflow
import pandas as pd
import pytest
from test_tracking import ROCK_SALT, all_runs

from lodestone.errors import LodestoneError
from lodestone.tracking.address import bring_home, tracking_uri
from lodestone.tracking.registry import champion
from lodestone.tracking.store import publish

pytestmark = pytest.mark.slow


def as_a_new_process_would(folder):
    """Forget where the artifacts of the runs were, and which store was last used; MLflow keeps both."""
    mlflow.tracking._tracking_service.utils._artifact_repos_cache.clear()
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    return folder


def loaded_from(folder):
    """Load the champion and return the folder of the run that it comes from."""
    name = champion(as_a_new_process_would(folder))["model"]
    mlflow.set_tracking_uri(tracking_uri(folder))
    mlflow.set_registry_uri(tracking_uri(folder))
    model = mlflow.pyfunc.load_model(name)
    assert model.predict(pd.DataFrame([ROCK_SALT]))["formation_energy_per_atom_pred"].notna().all()
    client = mlflow.tracking.MlflowClient(tracking_uri(folder))
    version = client.get_model_version_by_alias("lodestone-ensemble", "champion")
    return client.get_run(version.run_id).info.artifact_uri


def test_a_moved_folder_loads_its_champion_and_needs_no_new_publication(published, params, tmp_path):
    moved = tmp_path / "new" / "campaign"
    shutil.copytree(published, moved)
    shutil.rmtree(published)
    assert loaded_from(moved).startswith((moved / "mlruns").as_uri() + "/")
    assert not publish(as_a_new_process_would(moved), params)["created"]


def test_a_copied_folder_loads_its_own_files(published, params, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(published, copy)
    assert not publish(as_a_new_process_would(copy), params)["created"]
    assert loaded_from(copy).startswith((copy / "mlruns").as_uri() + "/")
    assert loaded_from(published).startswith((published / "mlruns").as_uri() + "/")


def test_a_store_is_brought_home_once(published, tmp_path):
    assert not bring_home(published)
    moved = tmp_path / "moved"
    published.rename(moved)
    assert bring_home(moved)
    assert not bring_home(moved)


def test_what_has_lost_its_files_is_told_and_published_anew(published, params):
    for model in (published / "mlruns" / "models").iterdir():
        shutil.rmtree(model)
    with pytest.raises(LodestoneError, match=r"files of version 1 of lodestone-ensemble are missing(.|\n)*publish"):
        champion(published)
    assert publish(published, params)["created"]
    assert not publish(published, params)["created"]
    shutil.rmtree(published / "mlruns")
    assert publish(published, params)["created"]
    loaded_from(published)
    assert len(all_runs(mlflow.tracking.MlflowClient(tracking_uri(published)))) == 7
