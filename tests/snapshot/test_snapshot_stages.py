"""The two stages as scripts: what they write, and what a fault leaves behind."""

import runpy
from pathlib import Path

import pytest
import yaml
from snapshot_rows import LABELS, ROWS

from lodestone.schemas import Rejections, Snapshot
from lodestone.tables.files import read_json, read_table
from lodestone.tables.layout import Layout

ROOT = Path(__file__).parents[2]
SCRIPTS = {name: str(ROOT / "stages" / f"{name}.py") for name in ("snapshot", "validate")}


@pytest.fixture
def campaign(tmp_path, monkeypatch):
    """An empty campaign folder on a file; returns a function that changes its parameters."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["snapshot"] = {"source": "file", "path": "crystals.parquet", **LABELS}

    def change(section: str = "snapshot", **values):
        content[section] = {key: value for key, value in (content[section] | values).items() if value is not None}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LODESTONE_TRACEBACK", raising=False)
    change()
    return change


def _run(stage: str, monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", [SCRIPTS[stage]])
    runpy.run_path(SCRIPTS[stage], run_name="__main__")


def _fails(stage: str, monkeypatch, capsys) -> str:
    with pytest.raises(SystemExit) as ended:
        _run(stage, monkeypatch)
    told = capsys.readouterr().err
    assert ended.value.code == 1
    assert "Traceback" not in told
    return told


def test_stages_write_what_dvc_expects_and_the_same_bytes_again(campaign, write, monkeypatch):
    write()
    layout = Layout()
    outputs = [layout.snapshot, layout.provenance, layout.validated, layout.quarantine]
    contents = []
    for _ in range(2):
        _run("snapshot", monkeypatch)
        _run("validate", monkeypatch)
        contents.append([path.read_bytes() for path in outputs])
    assert contents[0] == contents[1]
    assert read_table(layout.validated, Snapshot).equals(read_table(layout.snapshot, Snapshot))
    assert read_table(layout.quarantine, Rejections).is_empty()
    assert read_json(layout.provenance)["counts"]["snapshot"] == len(ROWS)


def test_bad_rows_fail_then_go_to_quarantine(campaign, write, monkeypatch, capsys):
    write(
        [*ROWS, {**ROWS[0], "material_id": "mp-99", "structure": "{"}, {**ROWS[1], "material_id": "mp-98", "nsites": 5}]
    )
    _run("snapshot", monkeypatch)
    told = _fails("validate", monkeypatch, capsys)
    assert "2 of 10 rows of the snapshot are bad" in told
    assert "mp-98" in told
    assert "mp-99" in told
    assert not Layout().validated.exists()
    campaign("validate", on_bad_rows="quarantine")
    _run("validate", monkeypatch)
    assert read_table(Layout().quarantine, Rejections)["material_id"].to_list() == ["mp-98", "mp-99"]
    assert len(read_table(Layout().validated, Snapshot)) == len(ROWS)


def test_a_fault_of_the_source_leaves_no_output(campaign, write, monkeypatch, capsys):
    assert "crystals.parquet does not exist" in _fails("snapshot", monkeypatch, capsys)
    write()
    campaign(filters={"elements": ["Fe"]})
    assert "snapshot.filters.elements" in _fails("snapshot", monkeypatch, capsys)
    monkeypatch.delenv("MP_API_KEY", raising=False)
    campaign(source="materials_project", filters={}, label_method=None, correction_scheme=None)
    assert "MP_API_KEY is not set" in _fails("snapshot", monkeypatch, capsys)
    assert not Layout().data.exists()
