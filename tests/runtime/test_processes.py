"""Locks of dead processes are released, those of living ones are not."""

import json
import os
import subprocess
import sys

import pytest

from lodestone.runtime.processes import is_running, release_locks_of_the_dead, set_aside_half_written


@pytest.fixture
def zombie():
    """A process that has ended but is not collected."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    yield process.pid
    process.wait()


def write_locks(path, *pids):
    path.write_text(
        json.dumps({"data/x": {"write": {"pid": pids[0], "cmd": "dvc"}, "read": [{"pid": p} for p in pids]}})
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="zombies are told apart on Linux only")
def test_locks_of_zombies_are_released(tmp_path, zombie):
    assert not is_running(zombie)
    write_locks(tmp_path / "rwlock", zombie)
    release_locks_of_the_dead(tmp_path / "rwlock")
    assert not (tmp_path / "rwlock").exists()


def test_locks_of_the_living_stay(tmp_path, zombie):
    write_locks(tmp_path / "rwlock", zombie, os.getpid())
    release_locks_of_the_dead(tmp_path / "rwlock")
    assert (tmp_path / "rwlock").exists()


@pytest.mark.parametrize("text", [None, "{}"])
def test_missing_or_strange_lock_files_are_left_to_dvc(tmp_path, text):
    path = tmp_path / "rwlock"
    if text is not None:
        path.write_text(text)
    release_locks_of_the_dead(path)
    assert path.exists() == (text is not None)


@pytest.mark.parametrize("text", ["", '{"write": {"data/x'])
def test_half_written_locks_are_released_unless_somebody_completes_them(tmp_path, text, monkeypatch):
    path = tmp_path / "rwlock"
    path.write_text(text)
    with monkeypatch.context() as patched:
        patched.setattr("time.sleep", lambda _: write_locks(path, os.getpid()))
        release_locks_of_the_dead(path)
    assert path.exists()
    path.write_text(text)
    monkeypatch.setattr("time.sleep", lambda _: None)
    release_locks_of_the_dead(path)
    assert not path.exists()


LOCK_FILE = """schema: '2.0'
stages:
  split:
    cmd: python stages/split.py
    deps:
    - path: data/labelled/crystals.parquet
      hash: md5
      md5: 1f0c5d1f8ae1a9e64b5e7ba6fc6c9e07
      size: 17
    params:
      params.yaml:
        split:
          by:
"""


@pytest.mark.parametrize(
    "end",
    ["", "'2.0'\n", "stages:\n", "  split:\n", "cmd:", "deps:\n    -", "hash: md5\n", "size:", "params:\n", "yaml:\n"],
)
def test_half_written_dvc_lock_is_set_aside(tmp_path, end, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    path, aside = tmp_path / "dvc.lock", tmp_path / "tmp" / "damaged"
    assert not set_aside_half_written(path, aside)
    path.write_text(LOCK_FILE)
    assert not set_aside_half_written(path, aside)
    assert path.read_text() == LOCK_FILE
    part = LOCK_FILE[: LOCK_FILE.index(end) + len(end)]
    path.write_text(part)
    assert set_aside_half_written(path, aside)
    assert not path.exists()
    assert aside.read_text() == part
