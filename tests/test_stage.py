"""Faults in a stage: one message, the right exit code, and figures of the run kept apart."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lodestone.errors import LodestoneError, WaitingError
from lodestone.runtime.processes import is_running
from lodestone.stage import WAITING_VARIABLE, record_timing, run_stage, stage_name
from waiting import HANG, wait_for


def _raise(error: BaseException):
    def main() -> None:
        raise error

    return main


class RustError(Exception):
    """Stands for errors of Rust libraries, which are no OSError."""


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["stages/train.py", "structure", "data/rounds/round_0"])
    monkeypatch.delenv("LODESTONE_TRACEBACK", raising=False)


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (LodestoneError("x.parquet is bad", "make it again"), 1, "error: x.parquet is bad\n  -> make it again\n"),
        (WaitingError("labels are missing", "import them"), 75, "waiting: labels are missing\n  -> import them\n"),
        (OSError(errno.ENOSPC, "No space left on device", "data/x"), 1, "the disk is full: data/x cannot be written"),
        (RustError("I/O error: No space left on device (os error 28)"), 1, "the disk is full"),
        (KeyboardInterrupt(), 130, "interrupted; run again"),
    ],
)
def test_known_faults_end_in_one_message(error, code, told, capsys):
    with pytest.raises(SystemExit) as ended:
        run_stage(_raise(error))
    output = capsys.readouterr()
    assert ended.value.code == code
    assert told in output.err
    assert "Traceback" not in output.err + output.out


@pytest.mark.parametrize(("error", "content"), [(WaitingError("a", "b"), ["a", "b"]), (LodestoneError("a", "b"), None)])
def test_whoever_has_started_dvc_is_told_what_is_waited_for(error, content, tmp_path, monkeypatch):
    monkeypatch.setenv(WAITING_VARIABLE, str(tmp_path / "waiting.json"))
    with pytest.raises(SystemExit):
        run_stage(_raise(error))
    file = tmp_path / "waiting.json"
    assert (json.loads(file.read_text()) if file.exists() else None) == content


def test_traceback_when_asked_for(monkeypatch):
    monkeypatch.setenv("LODESTONE_TRACEBACK", "1")
    with pytest.raises(LodestoneError):
        run_stage(_raise(LodestoneError("a", "b")))


@pytest.mark.parametrize("error", [ZeroDivisionError(), OSError(errno.EIO, "Input/output error")])
def test_unknown_faults_keep_their_traceback(error):
    with pytest.raises(type(error)):
        run_stage(_raise(error))


def test_timings_of_one_run_lie_together_and_failures_leave_none(tmp_path):
    with pytest.raises(SystemExit):
        run_stage(_raise(LodestoneError("a", "b")))
    assert not (tmp_path / "timings").exists()
    run_stage(lambda: record_timing(seconds_per_step=0.5))
    kept = json.loads((tmp_path / "timings" / "train-structure-round_0.json").read_text())
    assert kept["seconds_per_step"] == 0.5
    assert kept["seconds"] >= 0


def test_name_of_a_stage():
    arguments = ["stages/active_learning.py", "data/rounds/round_0", "data/rounds/round_1"]
    assert stage_name(arguments) == "active_learning-round_0-round_1"
    assert stage_name(["stages/split.py"]) == "split"


BUSY = """
import os, time
from pathlib import Path
from lodestone.runtime.parallel import process_all
from lodestone.stage import run_stage

def work(name):
    Path(name).write_text(str(os.getpid()))
    time.sleep(3600)

def main():
    try:
        list(process_all(work, {"a": "a.pid", "b": "b.pid"}))
    finally:
        Path("cleaned.txt").write_text("")

if __name__ == "__main__":
    run_stage(main)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells children of their parent's end")
@pytest.mark.parametrize(("number", "code", "cleans"), [(signal.SIGTERM, 143, True), (signal.SIGKILL, -9, False)])
def test_workers_end_with_their_stage(number, code, cleans, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "pipeline"))
    monkeypatch.setenv("LODESTONE_WORKERS", "2")
    (tmp_path / "busy.py").write_text(BUSY)
    stage = subprocess.Popen([sys.executable, "busy.py"])
    pids = [tmp_path / "a.pid", tmp_path / "b.pid"]
    wait_for(lambda: all(path.exists() and path.read_text() for path in pids))
    stage.send_signal(number)
    assert stage.wait(timeout=HANG) == code
    wait_for(lambda: not any(is_running(int(path.read_text())) for path in pids))
    assert (tmp_path / "cleaned.txt").exists() == cleans


LATE = """
import os, sys, time
from pathlib import Path
{wait}
from lodestone.runtime.parallel import process_all
from lodestone.stage import run_stage

def work(name):
    Path(name).write_text(str(os.getpid()))

def main():
    Path("main.txt").write_text("")
    list(process_all(work, {{"a": "a.pid"}}))

if __name__ == "__main__":
    run_stage(main)
"""
# Imports take long: until the one who started it is gone.
STAGE_WAITS = 'Path("stage.pid").write_text(str(os.getpid()))\nwhile not Path("go").exists(): time.sleep(0.05)'
WORKER_WAITS = f'if __name__ != "__main__":\n    {STAGE_WAITS}'.replace("\nwhile", "\n    while").replace("stage", "w")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells children of their parent's end")
def test_stage_whose_run_was_killed_while_it_imported_does_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "pipeline"))
    (tmp_path / "late.py").write_text(LATE.format(wait=STAGE_WAITS))
    run = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    stage = subprocess.Popen([sys.executable, "late.py"], env={**os.environ, "LODESTONE_RUN": str(run.pid)})
    wait_for((tmp_path / "stage.pid").exists)
    run.kill()
    run.wait()
    (tmp_path / "go").touch()
    assert stage.wait(timeout=HANG) == 143
    assert not (tmp_path / "main.txt").exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells children of their parent's end")
def test_worker_whose_stage_was_killed_while_it_imported_ends(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "pipeline"))
    (tmp_path / "late.py").write_text(LATE.format(wait=WORKER_WAITS))
    stage = subprocess.Popen([sys.executable, "late.py"])
    pid = tmp_path / "w.pid"
    wait_for(lambda: pid.exists() and pid.read_text())
    assert is_running(int(pid.read_text()))
    stage.kill()
    stage.wait()
    (tmp_path / "go").touch()
    wait_for(lambda: not is_running(int(pid.read_text())))
    assert not (tmp_path / "a.pid").exists()


def test_a_stage_refuses_to_run_another_folders_code(tmp_path, capsys):
    (tmp_path / "pipeline" / "lodestone").mkdir(parents=True)
    with pytest.raises(SystemExit) as ended:
        run_stage((tmp_path / "done").touch)
    assert ended.value.code == 1
    assert "error: this folder has its own pipeline/lodestone" in capsys.readouterr().err
    assert not (tmp_path / "done").exists()
