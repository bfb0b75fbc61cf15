"""Work in fresh single-threaded processes: complete, with faults told."""

import os
import time
from pathlib import Path

import pytest

from lodestone.errors import LodestoneError
from lodestone.runtime.parallel import n_workers, process_all

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def describe_process(text: str) -> tuple[str, int, list[str | None]]:
    return text.upper(), os.getpid(), [os.environ.get(name) for name in THREADS]


def wait_for(file: Path | None) -> None:
    end = time.monotonic() + 60
    while file is not None and not file.exists():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def die(_: object) -> None:
    os._exit(9)  # as a process does that is killed for memory


def fail(number: int) -> int:
    raise ZeroDivisionError(number)


def refuse(number: int) -> None:
    raise LodestoneError(f"task {number} is bad", "choose another")


def test_every_task_once_in_other_processes_with_one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    monkeypatch.setenv("LODESTONE_WORKERS", "2")
    results = list(process_all(describe_process, {text: text for text in "abcde"}))
    assert sorted((key, upper) for key, (upper, _, _) in results) == [(text, text.upper()) for text in "abcde"]
    assert all(pid != os.getpid() and threads == ["1", "1", "1"] for _, (_, pid, threads) in results)
    assert os.environ["OMP_NUM_THREADS"] == "5"
    assert "MKL_NUM_THREADS" not in os.environ


def test_results_come_as_they_finish(monkeypatch, tmp_path):
    """The first task ends only after the result of the second was received."""
    monkeypatch.setenv("LODESTONE_WORKERS", "2")
    results = process_all(wait_for, {"slow": tmp_path / "go", "fast": None})
    assert next(results)[0] == "fast"
    (tmp_path / "go").touch()
    assert [key for key, _ in results] == ["slow"]


def test_a_dead_worker_is_told(monkeypatch):
    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    with pytest.raises(LodestoneError, match="a worker process died") as told:
        list(process_all(die, {"a": 1}))
    assert "LODESTONE_WORKERS=1" in told.value.remedy


def test_a_fault_in_a_worker_is_the_callers(monkeypatch):
    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    with pytest.raises(ZeroDivisionError, match="7"):
        list(process_all(fail, {"a": 7}))


def test_a_known_fault_in_a_worker_arrives_as_itself(monkeypatch):
    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    with pytest.raises(LodestoneError, match="task 7 is bad") as caught:
        list(process_all(refuse, {"a": 7}))
    assert caught.value.remedy == "choose another"


def test_no_tasks_no_processes(monkeypatch):
    monkeypatch.setattr("lodestone.runtime.parallel.ProcessPoolExecutor", None)
    assert list(process_all(fail, {})) == []


def test_number_of_workers(monkeypatch):
    monkeypatch.delenv("LODESTONE_WORKERS", raising=False)
    assert n_workers() == len(os.sched_getaffinity(0))
    monkeypatch.setenv("LODESTONE_WORKERS", "3")
    assert n_workers() == 3


def test_number_of_workers_where_the_system_does_not_say_which_cores_are_ours(monkeypatch):
    monkeypatch.delenv("LODESTONE_WORKERS", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # as on macOS
    assert n_workers() == os.cpu_count()


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", " "])
def test_number_of_workers_that_is_none(monkeypatch, text):
    monkeypatch.setenv("LODESTONE_WORKERS", text)
    with pytest.raises(LodestoneError, match="LODESTONE_WORKERS is "):
        n_workers()
