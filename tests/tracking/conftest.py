"""A tiny finished campaign of two rounds, with real (untrained) networks."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from lodestone.config.load import parse_params
from lodestone.config.params import Params
from lodestone.schemas import INPUT_STRUCTURES
from lodestone.tables.files import write_json
from lodestone.tables.layout import METRICS, REPORTS, TIMINGS, Layout
from lodestone.tracking.address import tracking_uri

ROOT = Path(__file__).parents[2]
VALIDATION_MAE = {"round_0": 0.09, "round_1": 0.11}


def tiny_params() -> Params:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    for view in ("composition", "structure"):
        content[view] |= {"width": 4, "layers": 1, "members": 2}
    names = {"round_0": "round_1", "round_1": "round_2"}
    content["rounds"] = {name: {"next": after, "budget": 4, "random_baseline": 2} for name, after in names.items()}
    return parse_params(content)


def write_round(root: Path, name: str, params: Params) -> None:
    from lodestone.crystals.compositions import N_ELEMENTS
    from lodestone.ensemble.calibration import Calibration
    from lodestone.ensemble.out_of_distribution import OutOfDistribution
    from lodestone.ensemble.predictor import Aggregation, EnsemblePredictor, save_predictors
    from lodestone.models.baseline import ElementBaseline
    from lodestone.models.registry import make_network
    from lodestone.models.weights import SavedView, save_view

    files = Layout(root / "data").round(name)
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
        frozenset({(11, 17)}), np.zeros((3, 4), dtype=np.float32), dict.fromkeys(INPUT_STRUCTURES, 9.0)
    ).save(files.out_of_distribution)
    errors = {"ensemble": {"mae": VALIDATION_MAE[name], "rmse": 0.2, "n": 5}}
    write_json({"n_train": 9, "validation": errors, "test": errors}, root / METRICS / name / "ensemble.json")
    learning = {"n_verified": 6, "hit_rate": {"model": {"hits": 3, "rate": 0.75}, "random": {"hits": 0, "rate": None}}}
    write_json(learning, root / METRICS / name / "active_learning.json")


@pytest.fixture
def params() -> Params:
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
def campaign(tmp_path, monkeypatch, params) -> Path:
    """Root of the campaign; MLflow writes there, too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name in params.rounds:
        write_round(tmp_path, name, params)
    write_json({"seconds": 12.0}, tmp_path / TIMINGS / "active_learning-round_0-round_1.json")
    write_json({"seconds": 1.0}, tmp_path / TIMINGS / "split.json")
    write_json(
        {"name": "toy", "settings": {"fmax": 0.1}, "versions": {"ase": "3.29"}}, Layout(tmp_path / "data").oracle
    )
    write_json({"content_hash": "abc"}, Layout(tmp_path / "data").provenance)
    write_json({"n_discoveries": 3}, tmp_path / METRICS / "campaign.json")
    (tmp_path / REPORTS).mkdir()
    (tmp_path / REPORTS / "campaign.html").write_text("<html></html>")
    return tmp_path
