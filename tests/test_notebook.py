"""The notebook keeps no outputs, and its cells run on a finished campaign."""

import json
from pathlib import Path

import numpy as np
import pytest

from finished_campaign import write_finished_campaign

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "explore_campaign.ipynb"


@pytest.fixture(scope="module")
def cells():
    return json.loads(NOTEBOOK.read_text())["cells"]


def sources(cells):
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """Discoveries of a made-up campaign of two rounds, seen from its folder `notebooks`."""
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    return write_finished_campaign(tmp_path, rounds=2)


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
