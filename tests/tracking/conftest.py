"""A tiny finished campaign of two rounds, with real (untrained) networks."""

import csv
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from lodestone.config.load import parse_params
from lodestone.config.params import Params
from lodestone.schemas import INPUT_STRUCTURES
from lodestone.tables.files import write_json
from lodestone.tables.layout import METRICS, REPORTS, TIMINGS, Layout
from lodestone.tracking.address import bring_home, tracking_uri
from lodestone.tracking.store import publish
from report.synthetic import write_campaign

ROOT = Path(__file__).parents[2]
VALIDATION_MAE = {"round_0": 0.09, "round_1": 0.11}


def tiny_params() -> Params:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    for view in ("composition", "structure"):
        content[view] |= {"width": 4, "layers": 1, "members": 2}
    names = {"round_0": "round_1", "round_1": "round_2"}
    content["promotion"]["min_systems"] = 5
    content["rounds"] = {name: {"next": after, "budget": 4, "random_baseline": 2} for name, after in names.items()}
    return parse_params(content)


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> Path:
    """A made-up campaign, for its crystals and the predictions of these."""
    folder = tmp_path_factory.mktemp("world")
    write_campaign(folder, rounds=2)
    return folder


def write_round(root: Path, name: str, params: Params, world: Path) -> None:
    from lodestone.crystals.compositions import N_ELEMENTS
    from lodestone.ensemble.calibration import Calibration
    from lodestone.ensemble.out_of_distribution import OutOfDistribution
    from lodestone.ensemble.predictor import Aggregation, EnsemblePredictor, save_predictors
    from lodestone.ensemble.seen_systems import SeenSystems
    from lodestone.models.baseline import ElementBaseline
    from lodestone.models.registry import make_network
    from lodestone.models.weights import SavedView, save_view

    files = Layout(root / "data").round(name)
    files.folder.mkdir(parents=True)
    for table in (files.crystals, files.predictions):
        shutil.copy(world / table.relative_to(root), table)
    for view in params.views:
        weights = {k: v.numpy() for k, v in make_network(view, params.view(view)).state_dict().items()}
        saved = SavedView(view, params.view(view), ElementBaseline(np.zeros(N_ELEMENTS), 1.0), [weights] * 2)
        save_view(saved, files.models(view))
        files.history(view).parent.mkdir(parents=True, exist_ok=True)
        with files.history(view).open("w", newline="") as target:
            rows = csv.writer(target)
            rows.writerow(["view", "member", "epoch", "train_mae", "validation_mae", "learning_rate"])
            rows.writerows(
                [view, member, epoch, 0.5 / epoch, 0.6 / epoch, 0.001] for member in (0, 1) for epoch in (1, 2)
            )
        timing = {"seconds": 3.5, "seconds_per_step": 0.02}
        write_json(timing, root / TIMINGS / f"train-{view}-{name}.json")
    views, weights = ("composition", "structure"), {"composition": 0.3, "structure": 0.7}
    rule = EnsemblePredictor(Aggregation("constant", views, {"weights": weights}), Calibration.none())
    save_predictors(dict.fromkeys(INPUT_STRUCTURES, rule), files.ensemble)
    OutOfDistribution(
        SeenSystems.named(["Cl-Na"]), np.zeros((3, 4), dtype=np.float32), dict.fromkeys(INPUT_STRUCTURES, 9.0)
    ).save(files.out_of_distribution)
    errors = {"ensemble": {"mae": VALIDATION_MAE[name], "rmse": 0.2, "n": 5}}
    write_json({"n_train": 9, "validation": errors, "test": errors}, root / METRICS / name / "ensemble.json")
    learning = {"n_verified": 6, "hit_rate": {"model": {"hits": 3, "rate": 0.75}, "random": {"hits": 0, "rate": None}}}
    write_json(learning, root / METRICS / name / "active_learning.json")


@pytest.fixture(autouse=True)
def own_stores():
    """No test is asked to use a store, and none leaves MLflow's variables or its memory of a store behind."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
            patch.setenv(name, "")  # so that what MLflow sets is undone
            patch.delenv(name)
        yield
        mlflow = sys.modules.get("mlflow")
        if mlflow is not None:
            mlflow.set_tracking_uri(None)
            mlflow.set_registry_uri(None)


@pytest.fixture
def params() -> Params:
    return tiny_params()


@pytest.fixture(scope="session")
def shared_params() -> Params:
    return tiny_params()


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    """An MLflow store without runs, made once: creating its tables takes seconds."""
    from lodestone.tracking.client import connect

    folder = tmp_path_factory.mktemp("store")
    with connect(folder) as client:
        client.search_experiments()
    return folder / "mlflow.db"


@pytest.fixture
def client(campaign, empty_store):
    """A client of the campaign's store, which is there and empty."""
    from mlflow.tracking import MlflowClient

    shutil.copy(empty_store, campaign / "mlflow.db")
    return MlflowClient(tracking_uri=tracking_uri(campaign), registry_uri=tracking_uri(campaign))


@pytest.fixture
def campaign(tmp_path, monkeypatch, params, world) -> Path:
    """Root of the campaign; MLflow writes there, too."""
    monkeypatch.chdir(tmp_path)
    write_tiny_campaign(tmp_path, params, world)
    return tmp_path


@pytest.fixture(scope="session")
def shared_campaign(tmp_path_factory, world, empty_store) -> Path:
    """A campaign published once, for tests that change nothing, or a copy."""
    folder = tmp_path_factory.mktemp("shared") / "campaign"
    folder.mkdir()
    write_tiny_campaign(folder, tiny_params(), world)
    shutil.copy(empty_store, folder / "mlflow.db")
    publish(folder, tiny_params())
    return folder


@pytest.fixture
def published(tmp_path, monkeypatch, shared_campaign) -> Path:
    """A published campaign in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "published"
    shutil.copytree(shared_campaign, folder)
    forget_artifacts()
    bring_home(folder)
    return folder


@pytest.fixture
def registry(published):
    """A client of the published campaign's store."""
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=tracking_uri(published), registry_uri=tracking_uri(published))


def forget_artifacts() -> None:
    """MLflow remembers where artifacts of a run or model are, as long as a process lives; copies have the same ids."""
    from mlflow.tracking._tracking_service import utils

    utils._artifact_repos_cache.clear()


def write_tiny_campaign(root: Path, params: Params, world: Path) -> None:
    for name in params.rounds:
        write_round(root, name, params, world)
    write_json({"seconds": 12.0}, root / TIMINGS / "active_learning-round_0-round_1.json")
    write_json({"seconds": 1.0}, root / TIMINGS / "split.json")
    write_json({"name": "toy", "settings": {"fmax": 0.1}, "versions": {"ase": "3.29"}}, Layout(root / "data").oracle)
    write_json({"content_hash": "abc"}, Layout(root / "data").provenance)
    write_json({"n_discoveries": 3}, root / METRICS / "campaign.json")
    (root / REPORTS).mkdir()
    (root / REPORTS / "campaign.html").write_text("<html></html>")
