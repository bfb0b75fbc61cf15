"""The notebook keeps no outputs, and its cells run on a finished campaign."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from lodestone.config.load import load_params
from lodestone.crystals.compositions import N_ELEMENTS
from lodestone.ensemble.calibration import Calibration
from lodestone.ensemble.out_of_distribution import OutOfDistribution
from lodestone.ensemble.predictor import Aggregation, EnsemblePredictor, save_predictors
from lodestone.models.baseline import ElementBaseline
from lodestone.models.registry import make_network
from lodestone.models.weights import SavedView, save_view
from lodestone.report.collect import collect
from lodestone.report.discoveries import discoveries, write_cifs
from lodestone.schemas import INPUT_STRUCTURES, Discoveries
from lodestone.tables.files import write_table
from lodestone.tables.layout import METRICS, REPORTS
from report.synthetic import write_campaign

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "explore_campaign.ipynb"


@pytest.fixture(scope="module")
def cells():
    return json.loads(NOTEBOOK.read_text())["cells"]


def sources(cells):
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """A made-up campaign of two rounds with untrained networks, seen from its folder `notebooks`."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    for view in ("composition", "structure"):
        content[view] |= {"width": 4, "layers": 1, "members": 2}
    chain = {"round_0": "round_1", "round_1": "round_2"}
    content["rounds"] = {name: {"next": after, "budget": 16, "random_baseline": 4} for name, after in chain.items()}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "notebooks").mkdir()
    _, layout, _ = write_campaign(tmp_path, rounds=2)
    params = load_params(tmp_path / "params.yaml")
    for view in params.views:
        weights = {name: value.numpy() for name, value in make_network(view, params.view(view)).state_dict().items()}
        saved = SavedView(view, params.view(view), ElementBaseline(np.zeros(N_ELEMENTS), 1.0), [weights] * 2)
        save_view(saved, layout.round("round_1").models(view))
    views, weights = ("composition", "structure"), {"composition": 0.3, "structure": 0.7}
    rule = EnsemblePredictor(Aggregation("constant", views, {"weights": weights}), Calibration.none())
    save_predictors(dict.fromkeys(INPUT_STRUCTURES, rule), layout.round("round_1").ensemble)
    OutOfDistribution(
        frozenset({(11, 17)}), np.zeros((3, 4), dtype=np.float32), dict.fromkeys(INPUT_STRUCTURES, 9.0)
    ).save(layout.round("round_1").out_of_distribution)
    found = discoveries(collect(params, layout, tmp_path / METRICS))
    write_table(found, tmp_path / REPORTS / "discoveries.parquet", Discoveries)
    write_cifs(found, tmp_path / REPORTS / "cifs")
    monkeypatch.chdir(tmp_path / "notebooks")
    return found


def test_the_notebook_is_short_and_keeps_no_outputs(cells):
    assert 8 <= len(cells) <= 10
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


@pytest.mark.filterwarnings("ignore::UserWarning")  # pymatgen tells of every coordinate in a CIF that it rounds
def test_every_cell_runs(cells, finished):
    names = {}
    for number, source in enumerate(sources(cells)):
        exec(compile(source, f"{NOTEBOOK.name}, code cell {number}", "exec"), names)
    assert names["found"].equals(finished)
    assert names["last"].name == "round_1"
    assert names["crystal"].volume > 0
    assert np.isfinite([names["prediction"].mean[0], names["prediction"].std[0]]).all()
