"""Commands where there is nothing for them: one message, and no file left behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lodestone.cli.main import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "LODESTONE_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def fault(capfd, *arguments: str) -> str:
    """The one message of a command that is refused."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capfd.readouterr().err
    assert ended.value.code == 1
    assert said.count("error:") == 1
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("docs", "is no checkout of Lodestone"),
        ("champion", "no champion of lodestone-ensemble is registered"),
        ("decisions", "no champion of lodestone-ensemble is registered"),
        ("rollback", "no champion of lodestone-ensemble is registered"),
        ("promote 3", "no champion of lodestone-ensemble is registered"),
        ("ui", "run from the root"),
        ("publish", "run from the root"),
        ("discover", "run from the root"),
    ],
)
def test_an_empty_folder_stays_empty(folder, capfd, command, message):
    assert message in fault(capfd, *command.split())
    assert list(folder.iterdir()) == []


def test_a_damaged_store_is_one_message(folder, capfd):
    (folder / "mlflow.db").write_bytes(b"no database" * 1000)
    for command in ("ui", "champion"):
        said = fault(capfd, command)
        assert "mlflow.db cannot be used" in said
        assert "note:" not in said


def test_an_unreachable_server_is_not_one_without_a_champion_and_its_password_is_not_shown(folder, capfd, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    said = fault(capfd, "champion")
    assert "http://127.0.0.1:9 cannot be used" in said
    assert "no champion" not in said
    assert "is the server http://127.0.0.1:9\n" in (served := fault(capfd, "ui"))
    assert "secret" not in said + served


def test_another_folders_code_is_refused(folder, capfd):
    (folder / "pipeline" / "lodestone").mkdir(parents=True)
    said = fault(capfd, "check")
    assert "this folder has its own pipeline/lodestone, but the code that runs lies in" in said
    assert "make install" in said


READ_ONLY = """
mkdir mine && mount -t tmpfs tmpfs mine && cp params.yaml mine && mkdir mine/reference || exit 77
touch mine/reference/crystals.parquet && mount -o remount,ro mine || exit 77
cd mine && exec "$@"
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts of one's own are a thing of Linux")
def test_a_read_only_folder_is_named_before_dvc_stumbles(folder):
    (folder / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    apart = ["unshare", "--user", "--map-root-user", "--mount", "bash", "-c", READ_ONLY, "-"]
    command = [*apart, sys.executable, "-m", "lodestone", "discover"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "pipeline")}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no mounts of one's own are allowed here")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {folder}/mine cannot be written: Read-only file system\n")
    assert "Traceback" not in done.stderr
