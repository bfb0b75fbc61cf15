"""Faults in a stage: one message, the right exit code, and figures of the run kept apart."""

import errno
import json

import pytest

from pipeline.errors import LodestoneError
from pipeline.stage import record_timing, run_stage, stage_name


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
