"""Work in fresh single-threaded processes: complete, with faults told."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import lodestone
import waiting
from lodestone.errors import LodestoneError
from lodestone.runtime.parallel import OutOfTimeError, WorkerDiedError, n_workers, process_all, process_each
from lodestone.runtime.processes import is_running
from lodestone.runtime.workers import _context

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def describe_process(text: str) -> tuple[str, int, list[str | None]]:
    return text.upper(), os.getpid(), [os.environ.get(name) for name in THREADS]


def wait_for(file: Path | None) -> None:
    waiting.wait_for(lambda: file is None or file.exists())


def die(_: object) -> None:
    os._exit(9)  # as a process does that is killed for memory


def fail(number: int) -> int:
    raise ZeroDivisionError(number)


def refuse(number: int) -> None:
    raise LodestoneError(f"task {number} is bad", "choose another")


def die_at_two(number: int) -> int:
    if number == 2:
        os._exit(9)
    return number


def fail_at_two(number: int) -> int:
    if number == 2:
        raise ZeroDivisionError(number)
    return number


class Stubborn(Exception):  # noqa: N818
    """Cannot be unpickled, as many exceptions of others cannot."""

    def __init__(self, number: int, total: int) -> None:
        super().__init__(f"{number} of {total}")


def raise_unpicklable(number: int) -> None:
    raise Stubborn(number, 2)


def return_unpicklable(number: int) -> object:
    return lambda: number


def variable_and_folder(name: str) -> tuple[str | None, str]:
    return os.environ.get(name), os.getcwd()


def write_pid_and_stay(file: Path | None) -> None:
    if file is not None:
        file.write_text(str(os.getpid()))
        signal.pause()


# Prints how many modules of torch a worker has when it begins, and how many threads its server has; then, to stderr,
# how many modules of torch there are.
PRELOADED = """
import os, sys
from lodestone.runtime.parallel import process_all

def look(_):
    return sum(name.startswith("torch.") for name in sys.modules), len(os.listdir(f"/proc/{os.getppid()}/task"))

if __name__ == "__main__":
    ((_, found),) = process_all(look, {"a": 1}, preload=["lodestone.training.fit"])
    print(*found)
    import lodestone.training.fit
    print(sum(name.startswith("torch.") for name in sys.modules), file=sys.stderr)
"""

# Prints where a worker's copy of the package is, when another one was put first on the path after ours was imported.
SHADOWED = """
import sys
import lodestone.runtime.parallel

def look(_):
    return lodestone.__file__

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    print(*lodestone.runtime.parallel.process_all(look, {"a": 1}))
"""


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


def test_a_task_that_takes_too_long_is_killed_and_the_next_one_has_its_turn(monkeypatch, tmp_path):
    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    files = {name: tmp_path / name for name in ("one", "other")}
    outcomes = {item.key: item.error for item in process_each(write_pid_and_stay, files, max_seconds=1.0)}
    assert set(outcomes) == set(files)
    assert all(isinstance(error, OutOfTimeError) for error in outcomes.values())
    assert "other took longer than 1 seconds" in str(outcomes["other"])
    assert not any(is_running(int(file.read_text())) for file in files.values() if file.exists())


def test_a_dead_worker_takes_one_task_with_it(monkeypatch):
    monkeypatch.setenv("LODESTONE_WORKERS", "2")
    outcomes = {outcome.key: outcome for outcome in process_each(die_at_two, {text: int(text) for text in "12345"})}
    assert isinstance(outcomes.pop("2").error, WorkerDiedError)
    assert {key: outcome.result() for key, outcome in outcomes.items()} == {"1": 1, "3": 3, "4": 4, "5": 5}


def test_a_fault_takes_one_task_with_it_and_says_where(monkeypatch):
    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    first, second = process_each(fail_at_two, {"a": 2, "b": 3})
    assert isinstance(first.error, ZeroDivisionError)
    assert "fail_at_two" in first.error.__notes__[0]
    assert second.result() == 3
    with pytest.raises(ZeroDivisionError):
        first.result()


def test_faults_and_results_that_cannot_be_sent_are_no_deaths(monkeypatch):
    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    (fault,) = process_each(raise_unpicklable, {"a": 1})
    assert isinstance(fault.error, RuntimeError)
    assert "Stubborn: 1 of 2" in str(fault.error)
    (result,) = process_each(return_unpicklable, {"a": 1})
    assert "lambda" in str(result.error)


@pytest.mark.skipif(sys.platform == "darwin", reason="workers are not forked there")
@pytest.mark.slow
def test_workers_are_forked_by_a_server_of_one_thread_that_has_imported_what_they_need(tmp_path):
    """In a process of its own, whose server has not been started yet."""
    script = tmp_path / "preloaded.py"
    script.write_text(PRELOADED)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    before, threads = done.stdout.split()
    assert int(before) > 0.9 * int(done.stderr.split()[-1]), "the worker imported by itself"
    assert threads == "1"


def test_workers_import_the_callers_package_and_not_the_part_of_it_that_a_loaded_model_brings(tmp_path):
    (tmp_path / "code" / "lodestone").mkdir(parents=True)
    (tmp_path / "code" / "lodestone" / "__init__.py").touch()
    script = tmp_path / "shadowed.py"
    script.write_text(SHADOWED)
    command = [sys.executable, script, tmp_path / "code"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(("a", lodestone.__file__))


def test_workers_see_the_variables_and_the_folder_of_now(monkeypatch, tmp_path):
    """Their server may have been started long before."""
    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    monkeypatch.setenv("LODESTONE_TEST", "old")
    list(process_all(variable_and_folder, {"a": "LODESTONE_TEST"}))
    monkeypatch.delenv("LODESTONE_TEST")
    monkeypatch.setenv("LODESTONE_OTHER", "new")
    monkeypatch.chdir(tmp_path)
    tasks = {"a": "LODESTONE_TEST", "b": "LODESTONE_OTHER"}
    assert dict(process_all(variable_and_folder, tasks)) == {"a": (None, str(tmp_path)), "b": ("new", str(tmp_path))}


def test_workers_end_when_nobody_wants_their_results(monkeypatch, tmp_path):
    monkeypatch.setenv("LODESTONE_WORKERS", "2")
    results = process_all(write_pid_and_stay, {"quick": None, "slow": tmp_path / "pid"})
    assert next(results)[0] == "quick"
    waiting.wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    results.close()
    assert not is_running(int((tmp_path / "pid").read_text()))


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
    monkeypatch.setattr("lodestone.runtime.parallel.Worker", None)
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


@pytest.mark.parametrize(
    ("driver", "device", "method"), [(True, "", "spawn"), (True, "cpu", "forkserver"), (False, "", "forkserver")]
)
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS always spawns")
def test_processes_that_may_use_cuda_are_not_forked(tmp_path, monkeypatch, driver, device, method):
    """PyG asks for CUDA when it is imported; a process forked after that cannot use it."""
    path = tmp_path / "nvidiactl"
    if driver:
        path.touch()
    monkeypatch.setattr("lodestone.runtime.workers._NVIDIA", path)
    monkeypatch.setenv("LODESTONE_DEVICE", device)
    assert _context(()).get_start_method() == method
