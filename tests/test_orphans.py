"""Locks of dead processes are released, those of living ones are not."""

import json
import os
import subprocess
import sys

import pytest

from pipeline.orphans import is_running, release_locks_of_the_dead


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


@pytest.mark.parametrize("text", [None, "", "{}", "no json"])
def test_missing_or_strange_lock_files_are_left_to_dvc(tmp_path, text):
    path = tmp_path / "rwlock"
    if text is not None:
        path.write_text(text)
    release_locks_of_the_dead(path)
    assert path.exists() == (text is not None)
