"""Publishing into a local sqlite store: once, completely, and loadable."""

import errno
import tempfile

import numpy as np
import pytest

from lodestone.errors import LodestoneError
from lodestone.tracking.address import tracking_uri
from lodestone.tracking.registry import champion
from lodestone.tracking.store import publish

pytestmark = pytest.mark.slow

ROCK_SALT = {
    "lattice": [5.6, 0, 0, 0, 5.6, 0, 0, 0, 5.6],
    "atomic_numbers": [11, 17],
    "frac_coords": [0] * 3 + [0.5] * 3,
}


def all_runs(client):
    return client.search_runs([client.get_experiment_by_name("lodestone").experiment_id])


def test_published_once_whole_and_loadable(campaign, params, client):
    first = publish(campaign, params)
    assert first["created"]
    assert first["model_versions"] == 2
    runs = {run.info.run_name: run for run in all_runs(client)}
    parent = runs[first["run"]]
    assert {run.data.tags.get("mlflow.parentRunId") for name, run in runs.items() if name != first["run"]} == {
        parent.info.run_id
    }
    assert parent.data.tags["lodestone.digest"] == first["digest"]
    assert [
        point.value
        for point in client.get_metric_history(
            runs["round_0/structure"].info.run_id, "within_training/train_mae.member_0"
        )
    ] == [
        0.5,
        0.25,
    ]
    assert "campaign.html" in {entry.path for entry in client.list_artifacts(parent.info.run_id)}

    assert publish(campaign, params) == {**first, "created": False}
    assert len(all_runs(client)) == len(runs)

    told = champion(campaign)
    assert (told["lodestone.round"], told["version"]) == ("round_0", 1)
    _predicts_like_the_round(campaign, told["model"])


def _predicts_like_the_round(campaign, uri):
    import mlflow
    import pandas as pd

    from lodestone.crystals.crystal import Crystal
    from lodestone.ensemble.ensemble import load_ensemble

    mlflow.set_tracking_uri(tracking_uri(campaign))
    mlflow.set_registry_uri(tracking_uri(campaign))
    model, rows = mlflow.pyfunc.load_model(uri), pd.DataFrame([ROCK_SALT])
    ensemble = load_ensemble(str(campaign / "data/rounds/round_0"))
    answers = {
        "relaxed": model.predict(rows),
        "unrelaxed": model.predict(rows, params={"input_structure": "unrelaxed"}),
    }
    for input_structure, answer in answers.items():
        direct = ensemble.predict([Crystal(*ROCK_SALT.values())], input_structure)
        np.testing.assert_allclose(answer["formation_energy_per_atom_pred"], direct.mean, atol=1e-6)
        np.testing.assert_allclose(answer["formation_energy_per_atom_upper"], direct.upper, atol=1e-6)
        assert answer["out_of_distribution"].to_list() == list(direct.out_of_distribution)
    assert (answers["relaxed"] != answers["unrelaxed"]).any(axis=None)
    overlapping = pd.DataFrame([ROCK_SALT | {"frac_coords": [0.0] * len(ROCK_SALT["frac_coords"])}])
    with pytest.raises(Exception, match=r"cannot be predicted: atoms are 0\.000 Å apart"):
        model.predict(overlapping)


def test_interrupted_publication_is_made_anew(campaign, params, client, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("lodestone.tracking.publications.register", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            publish(campaign, params)
    assert publish(campaign, params)["created"]
    assert len(all_runs(client)) == 7
    assert len(client.search_model_versions("name = 'lodestone-ensemble'")) == 2


def _interrupt(*_):
    raise KeyboardInterrupt


@pytest.mark.usefixtures("client")
def test_no_champion_and_broken_stores_are_told(campaign, params, monkeypatch):
    with pytest.raises(LodestoneError, match="no champion"):
        champion(campaign)
    (campaign / "damaged.db").write_bytes(b"no database" * 1000)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{campaign}/damaged.db")
    with pytest.raises(LodestoneError, match=r"damaged\.db cannot be used"):
        publish(campaign, params)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(LodestoneError, match=r"http://127\.0\.0\.1:9 cannot be used"):
        publish(campaign, params)


def test_a_read_only_folder_is_named_before_a_store_is_made(campaign, params, monkeypatch):
    def refuse(**_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(LodestoneError, match=rf"{campaign} cannot be written: Read-only file system"):
        publish(campaign, params)
    assert not (campaign / "mlflow.db").exists()
