"""A parameter file of its own gets a folder of its own, and the tracked files stay as they are."""

import os
import shutil
from pathlib import Path

import pytest
import yaml

from lodestone.config.load import load_params
from lodestone.errors import LodestoneError
from lodestone.workspace.campaign import prepare_campaign, share_stores

ROOT = Path(__file__).parents[2]


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with one other campaign; the working directory."""
    root = tmp_path / "repository"
    (root / "campaigns").mkdir(parents=True)
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, root / name)
    shutil.copy(ROOT / "params.yaml", root / "campaigns" / "mine.yaml")
    monkeypatch.chdir(root)
    return root


def _edit(file: Path, /, **snapshot: object) -> None:
    content = yaml.safe_load(file.read_text())
    content["snapshot"] |= snapshot
    file.write_text(yaml.safe_dump(content))


def test_the_folder_has_the_parameters_and_reads_the_same_files(repository):
    before = {path: path.read_bytes() for path in repository.rglob("*.yaml")}
    folder = prepare_campaign(Path("campaigns/mine.yaml"))
    assert folder == Path("campaigns/mine")
    mine, original = load_params(folder / "params.yaml"), load_params("params.yaml")
    assert (folder / mine.snapshot.path).resolve() == original.snapshot.path.resolve()
    assert mine.model_copy(update={"snapshot": original.snapshot}) == original
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    ("path", "expected"),
    [("../data/a.parquet", "../../../data/a.parquet"), ("/data/a.parquet", "/data/a.parquet"), ("a", "../../a")],
)
def test_paths_of_crystals_and_phases_keep_their_meaning(repository, path, expected):
    file = Path("campaigns/mine.yaml")
    _edit(file, path=path)
    content = yaml.safe_load(file.read_text())
    content["label"] = {"scale": "source", "phases": path}
    file.write_text(yaml.safe_dump(content))
    params = load_params(prepare_campaign(file) / "params.yaml")
    assert params.snapshot.path == params.label.phases == Path(expected)


def test_nothing_is_written_again_unless_it_changed(repository):
    file = Path("campaigns/mine.yaml")
    folder = prepare_campaign(file)
    for written in folder.iterdir():
        os.utime(written, (1, 1))
    prepare_campaign(file)
    assert {written.stat().st_mtime for written in folder.iterdir()} == {1}
    _edit(file, filters={"max_sites": 3})
    assert load_params(prepare_campaign(file) / "params.yaml").snapshot.filters.max_sites == 3
    assert (folder / "dvc.yaml").stat().st_mtime == 1


def test_a_file_in_the_root_and_a_folder_with_results_are_fine(repository):
    shutil.copy("params.yaml", "tiny.yaml")
    folder = prepare_campaign(Path("tiny.yaml"))
    (folder / "dvc.lock").touch()
    (folder / "data").mkdir()
    assert prepare_campaign(Path("tiny.yaml").resolve()).samefile("tiny")


def test_what_is_no_place_for_a_campaign_is_refused(repository, tmp_path):
    shutil.copy("params.yaml", tmp_path / "outside.yaml")
    with pytest.raises(LodestoneError, match=r"outside\.yaml is no place for a campaign(.|\n)*campaigns/outside\.yaml"):
        prepare_campaign(tmp_path / "outside.yaml")
    Path("campaigns/other").mkdir()
    Path("campaigns/other/notes.txt").touch()
    shutil.copy("params.yaml", "campaigns/other.yaml")
    with pytest.raises(LodestoneError, match="campaigns/other holds something else"):
        prepare_campaign(Path("campaigns/other.yaml"))
    folder = prepare_campaign(Path("campaigns/mine.yaml"))
    with pytest.raises(LodestoneError, match=r"is written by lodestone(.|\n)*campaigns/mine\.yaml"):
        prepare_campaign(folder / "params.yaml")


def test_elsewhere_than_in_the_root_it_says_where_to_run(repository, monkeypatch):
    monkeypatch.chdir("campaigns")
    with pytest.raises(LodestoneError, match=r"has no dvc\.yaml(.|\n)*root of the repository"):
        prepare_campaign(Path("mine.yaml"))


def test_wrong_parameters_make_no_folder(repository):
    _edit(Path("campaigns/mine.yaml"), provider="oqmd")
    with pytest.raises(LodestoneError, match=r"campaigns/mine\.yaml: snapshot: .* does not read provider"):
        prepare_campaign(Path("campaigns/mine.yaml"))
    with pytest.raises(LodestoneError, match="nowhere"):
        prepare_campaign(Path("campaigns/nowhere.yaml"))
    assert not Path("campaigns/mine").exists()


def test_campaigns_share_their_stores_unless_the_environment_says_otherwise(repository, monkeypatch):
    for name in ("LABELS", "DOWNLOADS", "CHECKPOINTS"):
        monkeypatch.delenv(f"LODESTONE_{name}", raising=False)
    monkeypatch.setenv("LODESTONE_LABELS", "mine.sqlite")
    share_stores()
    assert os.environ["LODESTONE_LABELS"] == "mine.sqlite"
    assert os.environ["LODESTONE_DOWNLOADS"] == str(repository / ".lodestone" / "downloads")
