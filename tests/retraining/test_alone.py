"""One retraining at a time in a folder, and a killed one is in nobody's way."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from lodestone.errors import WaitingError
from lodestone.retraining.alone import LOCK, alone
from waiting import wait_for

HOLD = """
import sys, time
from pathlib import Path
from lodestone.retraining.alone import alone
with alone(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(3600)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_one_stops_and_names_the_first(other, tmp_path):
    message = rf"another retraining runs in this folder \(process {other.pid}\)"
    with pytest.raises(WaitingError, match=message) as told, alone(tmp_path):
        pytest.fail("both run")
    assert "--wait" in told.value.remedy
    assert (tmp_path / LOCK).read_text() == str(other.pid)


def test_after_a_kill_the_next_one_runs(other, tmp_path):
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    with alone(tmp_path):
        assert (tmp_path / LOCK).read_text() == str(os.getpid())
    with alone(tmp_path):
        pass


def test_with_wait_it_runs_when_the_first_has_ended(other, tmp_path, capsys):
    said = []

    def second():
        with alone(tmp_path, wait=True):
            said.append("runs")

    thread = threading.Thread(target=second)
    thread.start()
    wait_for(lambda: "waiting for its end" in capsys.readouterr().out)
    assert said == []
    other.kill()
    thread.join()
    assert said == ["runs"]


def test_other_folders_are_not_concerned(other, tmp_path):
    with alone(tmp_path / "another"):
        assert other.poll() is None
