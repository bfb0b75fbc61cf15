"""The executor dask: outcomes are those of this machine, whatever dies; nothing is left running."""

import os
import socket
import subprocess
import sys

import dask
import pytest
from distributed import Client, Security

import waiting
from dask_tasks import (
    choose_dask,
    dask_workers,
    describe,
    fault_of,
    kill_dask_worker,
    leave_pid_and_stay,
    square,
)
from lodestone.errors import LodestoneError
from lodestone.runtime.dask_executor import _connected
from lodestone.runtime.executor import DaskChoice, n_places, run_all, run_each
from lodestone.runtime.parallel import WorkerDiedError, process_each
from lodestone.runtime.processes import is_running

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    with dask_workers() as cluster:
        yield cluster


@pytest.fixture
def on_dask(cluster, monkeypatch):
    choose_dask(monkeypatch, cluster.scheduler_address)
    return cluster


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_every_task_once_in_main_threads_of_processes_with_one_thread(on_dask):
    results = dict(run_all(describe, {text: text for text in "abcdefgh"}))
    assert {key: upper for key, (upper, *_) in results.items()} == {text: text.upper() for text in "abcdefgh"}
    assert all(threads == "1" and is_main for *_, threads, is_main in results.values())
    assert len({pid for _, pid, *_ in results.values()}) <= 3, "a process is used again"
    assert not any(is_running(pid) for _, pid, *_ in results.values())


def test_more_tasks_than_the_scheduler_is_given_at_once(on_dask, monkeypatch):
    monkeypatch.setattr("lodestone.runtime.dask_executor._AT_ONCE", 3)
    assert dict(run_all(square, {str(n): n for n in range(20)})) == {str(n): n**2 for n in range(20)}


def test_places_are_the_threads_of_all_workers(on_dask):
    assert n_places() == 3


def test_faults_are_those_of_this_machine(on_dask):
    tasks = {str(number): number for number in range(6)}
    there = {outcome.key: outcome for outcome in run_each(fault_of, tasks)}
    here = {outcome.key: outcome for outcome in process_each(fault_of, tasks)}
    assert there.keys() == here.keys() == tasks.keys()
    for key, outcome in there.items():
        assert (outcome.value, type(outcome.error)) == (here[key].value, type(here[key].error)), key
    assert isinstance(there["3"].error, WorkerDiedError)
    assert "fault_of" in there["1"].error.__notes__[0]
    assert (there["2"].error.problem, there["2"].error.remedy) == ("task 2 is bad", "choose another")


def test_a_closed_iterator_leaves_nothing_running(on_dask, tmp_path):
    tasks = {"quick": None, "slow": tmp_path / "a", "slower": tmp_path / "b", "waits": tmp_path / "c"}
    outcomes = run_each(leave_pid_and_stay, tasks)
    assert next(outcomes).key == "quick"
    waiting.wait_for(lambda: len(list(tmp_path.glob("?"))) == 3)
    outcomes.close()
    waiting.wait_for(lambda: not any(is_running(int(file.read_text())) for file in tmp_path.glob("?")))
    assert dict(run_all(square, {"a": 3})) == {"a": 9}, "the workers are free again"


# Runs a task that stays, on the cluster that the environment names.
CALLER = """
import sys
from pathlib import Path
from dask_tasks import leave_pid_and_stay
from lodestone.runtime.executor import run_all

if __name__ == "__main__":
    list(run_all(leave_pid_and_stay, {"a": Path(sys.argv[1])}))
"""


def test_a_killed_caller_leaves_nothing_running(on_dask, tmp_path):
    script, file = tmp_path / "caller.py", tmp_path / "a"
    script.write_text(CALLER)
    variables = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    with subprocess.Popen([sys.executable, script, file], env=variables) as caller:
        waiting.wait_for(lambda: file.exists() or caller.poll() is not None)
        caller.kill()
    waiting.wait_for(lambda: not is_running(int(file.read_text())))


def test_a_worker_with_another_installation_is_refused(on_dask, monkeypatch):
    from lodestone.runtime.installation import installation

    other = installation() | {"torch": "1.0.0", "NPY_DISABLE_CPU_FEATURES": "X86_V4"}
    monkeypatch.setattr("lodestone.runtime.dask_executor.installation", lambda: other)
    with pytest.raises(
        LodestoneError, match=r"NPY_DISABLE_CPU_FEATURES is missing there, X86_V4 here; torch is .* 1\.0"
    ):
        list(run_all(square, {"a": 3}))


def test_a_task_that_outlives_no_dask_worker_is_a_death(monkeypatch):
    with dask_workers(2) as cluster:
        choose_dask(monkeypatch, cluster.scheduler_address)
        outcomes = {o.key: o for o in run_each(kill_dask_worker, {"b": 2, "c": 3, "a": 1})}
    assert isinstance(outcomes.pop("a").error, WorkerDiedError)
    assert {key: outcome.result() for key, outcome in outcomes.items()} == {"b": 2, "c": 3}


def test_tls_with_the_certificates_of_dasks_own_configuration(monkeypatch):
    security = Security.temporary()
    with dask_workers(1, protocol="tls://", security=security) as cluster:
        choose_dask(monkeypatch, cluster.scheduler_address)
        assert cluster.scheduler_address.startswith("tls://")
        with pytest.raises(LodestoneError, match="cannot be reached"):
            list(run_all(square, {"a": 3}))
        keys = {f"client.{name}": getattr(security, f"tls_client_{name}") for name in ("cert", "key")}
        settings = {
            f"distributed.comm.tls.{key}": text for key, text in (keys | {"ca-file": security.tls_ca_file}).items()
        }
        with dask.config.set(settings):
            assert dict(run_all(square, {"a": 3})) == {"a": 9}


def test_no_scheduler_is_an_error_within_seconds():
    address = f"tcp://127.0.0.1:{free_port()}"
    with (
        pytest.raises(LodestoneError, match=f"scheduler {address} cannot be reached"),
        _connected(DaskChoice(address), timeout=1),
    ):
        pass


@pytest.mark.parametrize("protocol", ["tcp", "tls", "nonsense"])
def test_a_client_that_cannot_connect_is_closed(monkeypatch, protocol):
    clients, begin = [], Client.__init__
    monkeypatch.setattr(
        Client, "__init__", lambda self, *args, **named: (clients.append(self), begin(self, *args, **named))[1]
    )
    with (
        pytest.raises(LodestoneError, match="cannot be reached"),
        _connected(DaskChoice(f"{protocol}://127.0.0.1:{free_port()}"), timeout=1),
    ):
        pass
    assert [client.status in ("closed", "newly-created") for client in clients] == [True]


@pytest.fixture
def own_scheduler(monkeypatch, tmp_path):
    """The process of a scheduler, which has one worker, both as users start them."""
    port = str(free_port())
    address, options = f"tcp://127.0.0.1:{port}", ["--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port, *options]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", *options]
    variables = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": variables, "cwd": tmp_path}
    with subprocess.Popen(command, **quiet) as scheduler, subprocess.Popen(worker, **quiet) as worker:
        waiting.wait_for(lambda: answers(int(port)))
        choose_dask(monkeypatch, address)
        yield scheduler
        scheduler.kill()
        worker.terminate()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_scheduler_that_dies_is_an_error(own_scheduler, tmp_path):
    outcomes = run_each(leave_pid_and_stay, {"quick": None, "slow": tmp_path / "a"})
    assert next(outcomes).key == "quick"
    waiting.wait_for((tmp_path / "a").exists)
    own_scheduler.kill()
    with pytest.raises(LodestoneError, match="the Dask scheduler was lost"):
        next(outcomes)
    waiting.wait_for(lambda: not is_running(int((tmp_path / "a").read_text())))
