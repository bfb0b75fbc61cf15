"""A made-up campaign with untrained networks: all files that people look at afterwards, in a second."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from lodestone.config.load import load_params
from lodestone.config.params import Params
from lodestone.crystals.compositions import N_ELEMENTS
from lodestone.ensemble.calibration import Calibration
from lodestone.ensemble.out_of_distribution import OutOfDistribution
from lodestone.ensemble.predictor import Aggregation, EnsemblePredictor, save_predictors
from lodestone.ensemble.seen_systems import SeenSystems
from lodestone.models.baseline import ElementBaseline
from lodestone.models.registry import make_network
from lodestone.models.weights import SavedView, save_view
from lodestone.report.collect import collect
from lodestone.report.discoveries import discoveries, write_cifs
from lodestone.schemas import INPUT_STRUCTURES, Discoveries
from lodestone.tables.files import write_table
from lodestone.tables.layout import METRICS, REPORTS, RoundLayout
from report.synthetic import write_campaign

ROOT = Path(__file__).parents[1]
WEIGHTS = {"composition": 0.3, "structure": 0.7}


def write_finished_campaign(folder: Path, rounds: int) -> pl.DataFrame:
    """Write it to a folder; the last round alone has networks. Gives the discoveries."""
    _write_params(folder / "params.yaml", rounds)
    _, layout, _ = write_campaign(folder, rounds=rounds)
    params = load_params(folder / "params.yaml")
    _write_ensemble(layout.round(f"round_{rounds - 1}"), params)
    campaign = collect(params, layout, folder / METRICS)
    found = discoveries(campaign)
    write_table(found, folder / REPORTS / "discoveries.parquet", Discoveries)
    write_cifs(found, campaign.oracle, folder / REPORTS / "cifs")
    return found


def enter_copy(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy it, and work in the copy, with a label store beside it."""
    monkeypatch.delenv("LODESTONE_TRACEBACK", raising=False)
    monkeypatch.setenv("LODESTONE_LABELS", str(tmp_path / "labels.sqlite"))
    shutil.copytree(finished, tmp_path / "campaign")
    monkeypatch.chdir(tmp_path / "campaign")
    return tmp_path / "campaign"


def _write_params(path: Path, rounds: int) -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    for view in WEIGHTS:
        content[view] |= {"width": 4, "layers": 1, "members": 2}
    content["rounds"] = {
        f"round_{number}": {"next": f"round_{number + 1}", "budget": 16, "random_baseline": 4}
        for number in range(rounds)
    }
    path.write_text(yaml.safe_dump(content))


def _write_ensemble(files: RoundLayout, params: Params) -> None:
    for view in params.views:
        weights = {name: value.numpy() for name, value in make_network(view, params.view(view)).state_dict().items()}
        saved = SavedView(view, params.view(view), ElementBaseline(np.zeros(N_ELEMENTS), 1.0), [weights] * 2)
        save_view(saved, files.models(view))
    rule = EnsemblePredictor(Aggregation("constant", tuple(WEIGHTS), {"weights": WEIGHTS}), Calibration.none())
    save_predictors(dict.fromkeys(INPUT_STRUCTURES, rule), files.ensemble)
    seen = SeenSystems.named(["Cl-Na"]), np.zeros((3, 4), dtype=np.float32), dict.fromkeys(INPUT_STRUCTURES, 9.0)
    OutOfDistribution(*seen).save(files.out_of_distribution)
