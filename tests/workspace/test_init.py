"""`lodestone init`: a folder that holds all that a campaign needs but the code."""

import subprocess
from pathlib import Path

import pytest
import yaml

from lodestone.config.load import load_params
from lodestone.errors import LodestoneError
from lodestone.tables.layout import REFERENCE_FILE
from lodestone.workspace.init import init_folder
from lodestone.workspace.versions import refresh_versions

ROOT = Path(__file__).parents[2]


def test_the_folder_is_complete_and_under_git_and_dvc(tmp_path):
    folder = tmp_path / "new" / "campaign"
    written = init_folder(folder)
    assert load_params(folder / "params.yaml") == load_params(ROOT / "params.yaml")
    assert (folder / REFERENCE_FILE).read_bytes() == (ROOT / REFERENCE_FILE).read_bytes()
    scripts = {path.name for path in (ROOT / "stages").glob("*.py")}
    assert {path.name for path in (folder / "stages").iterdir()} == scripts
    for stage in yaml.safe_load((folder / "dvc.yaml").read_text())["stages"].values():
        others = ("data/", "metrics/", "reports/", "$")
        inputs = [dep for dep in stage.get("do", stage)["deps"] if not dep.startswith(others)]
        assert all((folder / dep).is_file() for dep in inputs)
    assert (folder / ".git").is_dir()
    assert (folder / ".dvc" / "config").is_file()
    with pytest.raises(LodestoneError, match=r"already has .*dvc\.yaml(.|\n)*choose an empty folder"):
        init_folder(folder)
    assert all((folder / path).is_file() for path in written)


def test_a_folder_within_a_repository_of_somebody_stays_in_it(tmp_path):
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    init_folder(tmp_path / "below")
    assert (tmp_path / "below" / ".dvc").is_dir()
    assert not (tmp_path / "below" / ".git").exists()


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "params.yaml").write_text("mine")
    with pytest.raises(LodestoneError, match=r"already has params\.yaml"):
        init_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_versions_are_written_anew_where_there_is_no_code_and_only_there(tmp_path):
    (tmp_path / "requirements.lock").write_text("of the repository")
    refresh_versions(tmp_path)
    assert (tmp_path / "requirements.lock").read_text() == "of the repository"
    (tmp_path / "lodestone.version").write_text("old")
    refresh_versions(tmp_path)
    assert (tmp_path / "lodestone.version").read_text().startswith("lodestone-materials ")
    pins = (tmp_path / "requirements.lock").read_text().splitlines()
    assert any(pin.startswith("torch==") for pin in pins)
    assert not any(pin.startswith("pytest") for pin in pins)
