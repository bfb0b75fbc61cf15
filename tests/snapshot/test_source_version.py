"""Which version a source has: it stays as long as the crystals do, and changes when they do."""

import os
import shutil
from pathlib import Path

import pytest
import yaml
from mp_server import FOREVER
from mp_snapshots import pages_of_two, params_of
from test_optimade import running, server  # noqa: F401 - fixtures

from lodestone.cli.main import main
from lodestone.config.load import load_params
from lodestone.config.sections import SnapshotParams
from lodestone.errors import LodestoneError
from lodestone.snapshot.sources.optimade import OptimadeParams
from lodestone.snapshot.version import VERSION_FILE, ensure_version_file, refresh, version_in, written_version

ROOT = Path(__file__).parents[2]


class OnTheNetwork(SnapshotParams):
    """A source that knows its version by itself."""

    def current_version(self) -> str:
        return "2026.1"


@pytest.fixture
def project(monkeypatch):
    """The Materials Project, in a folder of its own."""
    folder = Path.cwd()
    with pages_of_two(monkeypatch, folder) as found:
        yield found


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def of_file(path: str) -> SnapshotParams:
    return SnapshotParams(source="file", path=path)


def test_the_tracked_file_names_the_version_of_the_default_campaign():
    params = load_params(ROOT / "params.yaml").snapshot
    params = params.model_copy(update={"path": ROOT / params.path})
    shutil.copy(ROOT / VERSION_FILE, VERSION_FILE)
    assert not refresh(params).changed, f"run `lodestone refresh` and commit {VERSION_FILE}"


def test_the_stage_depends_on_it():
    stage = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["snapshot"]
    assert str(VERSION_FILE) in stage["deps"]


def test_a_file_has_another_version_when_its_content_is_another():
    Path("a.parquet").write_bytes(b"one")
    first = refresh(of_file("a.parquet"))
    assert (first.before, first.changed) == (None, True)
    text = VERSION_FILE.read_text()
    os.utime("a.parquet", (1, 1))
    assert not refresh(of_file("a.parquet")).changed
    assert VERSION_FILE.read_text() == text
    Path("a.parquet").write_bytes(b"two")
    second = refresh(of_file("a.parquet"))
    assert (second.before, second.changed) == (first.now, True)
    Path("a.parquet").write_bytes(b"one")
    refresh(of_file("a.parquet"))
    assert VERSION_FILE.read_text() == text


@pytest.mark.parametrize("change", ["content", "name", "one more"])
def test_a_folder_has_the_version_of_all_its_files(change):
    folder = Path("cifs")
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "a.cif").write_text("a")
    before = refresh(of_file("cifs")).now
    assert refresh(of_file("cifs")).now == before
    changes = {
        "content": lambda: (folder / "below" / "a.cif").write_text("b"),
        "name": lambda: (folder / "below" / "a.cif").rename(folder / "below" / "b.cif"),
        "one more": lambda: (folder / "b.cif").write_text("a"),
    }
    changes[change]()
    assert refresh(of_file("cifs")).now != before


def test_a_missing_file_changes_nothing():
    with pytest.raises(LodestoneError, match=r"snapshot\.path: away\.parquet does not exist"):
        refresh(of_file("away.parquet"))
    assert not VERSION_FILE.exists()


def test_the_version_of_another_source_is_not_that_of_this_one():
    Path("a.parquet").write_bytes(b"one")
    refresh(of_file("a.parquet"))
    refreshed = refresh(OnTheNetwork(source="own"))
    assert (refreshed.before, refreshed.now) == (None, "2026.1")
    assert written_version(Path(), "own") == "2026.1"
    assert written_version(Path(), "file") is None


@pytest.mark.parametrize("text", ["", "[", "- a list", "source: own", "source: own\nversion:\n"])
def test_a_damaged_file_is_as_if_nobody_had_asked(text):
    VERSION_FILE.write_text(text)
    assert version_in(text, "own") is None
    assert refresh(OnTheNetwork(source="own")).changed
    assert written_version(Path(), "own") == "2026.1"


def test_a_file_that_is_missing_is_made_without_asking_and_one_that_is_there_stays():
    class Unreachable(OnTheNetwork):
        def current_version(self) -> str:
            raise LodestoneError("cannot be reached", "wait")

    ensure_version_file(Unreachable(source="own"))
    assert written_version(Path(), "own") is None
    assert refresh(OnTheNetwork(source="own")).changed
    ensure_version_file(Unreachable(source="own"))
    assert written_version(Path(), "own") == "2026.1"


def test_the_materials_project_tells_the_version_of_its_database(project):
    assert refresh(params_of()).now == "2026.02.01"
    project.heartbeat["db_version"] = "2026.04.01"
    refreshed = refresh(params_of())
    assert (refreshed.before, refreshed.now) == ("2026.02.01", "2026.04.01")


def test_a_pinned_version_is_taken_without_asking(project):
    assert refresh(params_of(version="2025.01.01")).now == "2025.01.01"
    assert project.requests == []


def test_a_database_that_is_down_leaves_the_file_as_it_is(project):
    refresh(params_of())
    project.silent = FOREVER
    with pytest.raises(LodestoneError, match="the Materials Project API"):
        refresh(params_of())
    assert written_version(Path(), "materials_project") == "2026.02.01"


def _optimade(**filters) -> OptimadeParams:
    return OptimadeParams(source="optimade", provider="materials_project", filters=filters)


def test_an_optimade_server_tells_the_newest_modification_and_the_number(server):  # noqa: F811
    assert refresh(_optimade()).now == "last modified 2024-05-30T00:00:00, 7 structures"
    assert len(server.asked()) == 1
    assert refresh(_optimade(chemical_systems=("Cl-Na",))).now == "last modified 2024-05-09T00:00:00, 6 structures"


def test_an_optimade_server_that_cannot_sort_tells_the_number(server):  # noqa: F811
    refusal = b'{"errors": [{"title": "Not Implemented", "detail": "no sorting"}], "meta": {"api_version": "1.2"}}'
    server.fault = lambda _, query: (501, {}, refusal) if "sort" in query else None
    assert refresh(_optimade()).now == "7 structures"


def test_an_optimade_server_that_tells_nothing_is_refused(server):  # noqa: F811
    def silent(content):
        content["meta"].pop("data_returned", None)
        for structure in content["data"] if isinstance(content["data"], list) else []:
            structure["attributes"].pop("last_modified", None)
        return content

    server.edit = silent
    with pytest.raises(LodestoneError, match="tells neither when its structures were modified"):
        refresh(_optimade())
    assert not VERSION_FILE.exists()


def test_the_command_tells_what_is_new(capsys):
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    Path("reference").mkdir()
    Path("reference/crystals.parquet").write_bytes(b"one")
    said = []
    for _ in range(2):
        with pytest.raises(SystemExit, match="0"):
            main(["refresh"])
        said.append(capsys.readouterr().out)
    assert "not asked before" in said[0]
    assert "takes a new snapshot" in said[0]
    assert said[1].endswith(", as before\n")
