"""Resuming, the table and the plot, from synthetic results."""

import json
import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from lodestone.errors import LodestoneError
from peers.plot import spread, write_plot
from peers.runs import complete, make_run
from peers.settings import SETTINGS, TITLES, Ours
from peers.table import as_markdown, make_table

N = 40
TEST = pl.DataFrame(
    {
        "chemsys": [f"A{i // 2}" for i in range(N)],
        "formation_energy_per_atom": np.linspace(-2, 1, N),
        "energy_above_hull": np.repeat([0.0, 0.1], N // 2),
    }
)


def result(model: str, size: int, error: float) -> dict:
    predicted = TEST["formation_energy_per_atom"].to_numpy() + error
    return {
        "key": {"model": model, "size": size},
        "curve": [{"seconds": s, "test_mae": error * 30 / s} for s in (3.0, 10.0, 30.0)],
        "predictions": [{"test": predicted.tolist()}],
        "preparation_seconds": 2.5, "epochs": 12.0, "training_per_second": 1234.0, "inference_per_second": 5678.0,
        "peak_memory_mib": 512.0, "parameters": 1000, "refused": 0,
    }  # fmt: skip


RESULTS = [
    result("cgcnn2", 6000, 0.05), result("cgcnn2", 2000, 0.08), result("ours-structure", 2000, 0.04),
    result("ours-structure", 6000, 0.06),
]  # fmt: skip


def test_the_table_is_sorted_by_error_within_each_size():
    table = make_table(RESULTS, TEST)
    assert table.select("size", "model").rows() == [
        (2000, "ours-structure"), (2000, "cgcnn2"), (6000, "cgcnn2"), (6000, "ours-structure"),
    ]  # fmt: skip
    assert table["mae"].to_list() == pytest.approx([0.04, 0.08, 0.05, 0.06])
    assert (table["n"].unique().to_list(), table["n_stable"].unique().to_list()) == ([N], [N // 2])


def test_markdown_has_one_whole_table_per_size():
    text = as_markdown(make_table(RESULTS, TEST))
    assert re.findall(r"### (.*) training crystals", text) == ["2,000", "6,000"]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {rows[0].count("|")}
    assert "| **ours, structure** | 0.0400 (0.0400 to 0.0400) |" in text
    assert "| CGCNN (cgcnn2) | 0.0800 (0.0800 to 0.0800) |" in text
    assert "1,234" in text
    assert "5,678" in text


def test_the_plot_names_every_line_and_has_the_same_bytes_again(tmp_path):
    files = [tmp_path / name for name in ("one.svg", "two.svg")]
    for file in files:
        write_plot(RESULTS, file)
    text = files[0].read_text()
    assert text == files[1].read_text()
    told = re.findall(r"<!-- (.*?) -->", text)
    assert {"2,000 training crystals", "6,000 training crystals"} <= set(told)
    ends = {f"{TITLES[model]}  {mae}" for model, mae in (("cgcnn2", "0.080"), ("cgcnn2", "0.050"))}
    assert ends | {"ours, structure  0.040", "ours, structure  0.060"} <= set(told)


def test_labels_keep_their_distance_and_stay_inside():
    placed = spread([0.1, 0.11, 0.5, 0.97, 0.99], gap=0.05)
    assert min(np.diff(placed)) >= 0.05 - 1e-12
    assert placed[0] == 0.1
    assert placed[2] == 0.5
    assert max(placed) <= 1.0


def test_every_model_has_a_title_and_settings_that_json_can_hold():
    assert set(SETTINGS) <= set(TITLES)
    ours = [settings for settings in SETTINGS.values() if isinstance(settings, Ours)]
    assert {settings.view for settings in ours} == {"structure", "composition"}
    for settings in ours:
        assert settings.params.learning_rate == settings.training.rate


def test_a_result_is_taken_again_only_for_the_same_key(tmp_path):
    run = make_run("ours-structure", 2000, 300.0, 0, data="data", folder=tmp_path)
    assert run.read() is None
    run.result.parent.mkdir()
    run.result.write_text(json.dumps({"key": run.key, "curve": []}))
    assert run.read() == {"key": run.key, "curve": []}
    for other in (
        make_run("ours-structure", 2000, 300.0, 0, data="others", folder=tmp_path),
        replace(run, key={**run.key, "code": ""}),
    ):
        assert other.result == run.result
        assert other.read() is None


def test_a_run_that_fails_names_its_log(tmp_path):
    run = make_run("ours-structure", 2000, 1.0, 0, data="data", folder=tmp_path)
    [(failed, fault)] = complete([run], jobs=1)
    assert failed == run
    assert fault.startswith("exit 1: ")
    assert str(run.log) in fault
    assert "validation.parquet does not exist" in run.log.read_text()


def test_unknown_models_and_missing_packages_are_told(tmp_path, monkeypatch):
    with pytest.raises(LodestoneError, match="no model 'alignn'"):
        make_run("alignn", 2000, 1.0, 0, data="data", folder=tmp_path)
    monkeypatch.setitem(SETTINGS, "cgcnn2", replace(SETTINGS["cgcnn2"], package="no-such-package"))
    with pytest.raises(LodestoneError, match="no-such-package is not installed") as fault:
        make_run("cgcnn2", 2000, 1.0, 0, data="data", folder=tmp_path)
    assert "make bench-peers" in fault.value.remedy
