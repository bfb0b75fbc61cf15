"""Earlier results come from the storage of DVC if they fit their hashes, and from nowhere else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lodestone.errors import LodestoneError
from lodestone.retraining.storage import keep, outputs_of, restore

STAGES = """
stages:
  copy:
    cmd: cp source.txt result.txt
    deps: [source.txt]
    outs: [result.txt]
"""
RESULT = Path("result.txt")
pytestmark = pytest.mark.slow


def run(folder: Path, *command: str) -> str:
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(command, cwd=folder, env=os.environ | own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit(folder: Path) -> str:
    run(folder, "git", "add", ".")
    run(folder, "git", "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-qm", "One")
    return run(folder, "git", "rev-parse", "HEAD")


def dvc(folder: Path, *arguments: str) -> None:
    run(folder, sys.executable, "-m", "dvc", *arguments)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A repository with one result, which its storage has."""
    folder = tmp_path_factory.mktemp("finished") / "repository"
    folder.mkdir()
    run(folder, "git", "init", "-q")
    dvc(folder, "init", "-q")
    dvc(folder, "remote", "add", "-q", "--default", "storage", str(folder.parent / "storage"))
    (folder / "dvc.yaml").write_text(STAGES)
    (folder / "source.txt").write_text("first\n")
    dvc(folder, "repro", "-q")
    commit(folder)
    keep(folder)
    return folder


@pytest.fixture
def clone(finished, tmp_path) -> Path:
    """A fresh clone with a storage of its own to do damage to."""
    run(tmp_path, "git", "clone", "-q", str(finished), "clone")
    run(tmp_path, "cp", "-r", str(finished.parent / "storage"), "storage")
    run(tmp_path, "chmod", "-R", "u+w", "storage")
    dvc(tmp_path / "clone", "remote", "modify", "--local", "storage", "url", str(tmp_path / "storage"))
    return tmp_path / "clone"


def stored(clone: Path) -> Path:
    """The file of the result in the storage."""
    (path,) = (path for path in clone.with_name("storage").rglob("files/md5/*/*") if path.read_text() == "first\n")
    return path


def test_results_come_back(clone):
    restore(clone)
    assert (clone / RESULT).read_text() == "first\n"


def test_a_file_that_does_not_fit_its_hash_is_not_taken(clone):
    stored(clone).write_text("forged\n")
    restore(clone)
    assert not (clone / RESULT).exists()
    dvc(clone, "repro", "-q")
    assert (clone / RESULT).read_text() == "first\n"


def test_a_file_that_is_missing_is_no_fault(clone):
    stored(clone).unlink()
    restore(clone)
    assert not (clone / RESULT).exists()


def test_a_storage_that_cannot_be_reached_is_told_without_its_password(clone):
    restore(clone)
    dvc(clone, "remote", "modify", "--local", "storage", "url", "http://me:secret@127.0.0.1:9/storage")
    with pytest.raises(LodestoneError, match="the DVC remote cannot be used") as fault:
        keep(clone)
    assert "secret" not in str(fault.value)


def test_without_a_storage_nothing_is_fetched(clone, capsys):
    dvc(clone, "remote", "remove", "storage")
    restore(clone)
    keep(clone)
    assert "No DVC remote is set up" in capsys.readouterr().out


def test_a_folder_without_dvc_is_told(tmp_path):
    with pytest.raises(LodestoneError, match="is not under DVC"):
        restore(tmp_path)


def test_outputs_of_a_commit_are_those_of_its_lock_file(finished, tmp_path):
    before = run(finished, "git", "rev-parse", "HEAD")
    (finished / "source.txt").write_text("second\n")
    dvc(finished, "repro", "-q")
    outputs_of(before, (RESULT, Path("never.txt")), finished, tmp_path)
    assert (tmp_path / RESULT).read_text() == "first\n"
    assert not (tmp_path / "never.txt").exists()


@pytest.fixture
def bucket(monkeypatch):
    """Address of a bucket of an S3 server on this machine."""
    pytest.importorskip("dvc_s3", reason="dvc-s3 is not installed; it is no package of the lock file")
    server = pytest.importorskip("moto.server", reason="moto is not installed; it is no package of the lock file")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    address = "http://{}:{}".format(*running.get_host_and_port())
    import boto3

    boto3.client("s3", endpoint_url=address).create_bucket(Bucket="campaign")
    yield address
    running.stop()


def test_results_come_back_from_s3(finished, clone, bucket):
    restore(clone)
    dvc(clone, "remote", "modify", "--local", "storage", "url", "s3://campaign/results")
    dvc(clone, "remote", "modify", "--local", "storage", "endpointurl", bucket)
    keep(clone)
    other = clone.with_name("other")
    run(clone.parent, "git", "clone", "-q", str(finished), str(other))
    (other / ".dvc" / "config.local").write_text((clone / ".dvc" / "config.local").read_text())
    restore(other)
    assert (other / RESULT).read_text() == "first\n"
