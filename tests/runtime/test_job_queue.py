"""Jobs of Slurm, LSF and PBS: what they are submitted as, and a run on a queue that starts each job at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import waiting
from lodestone.errors import LodestoneError
from lodestone.runtime.job_queue import JobQueue, read_job_queue, running_cluster
from lodestone.runtime.processes import is_running

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "how-to" / "cluster.yaml"
SMALL = {"kind": "slurm", "interface": "lo", "jobs": 1, "cores": 2, "memory": "2GB", "walltime": "00:10:00"}


def write(path: Path, **changes: object) -> Path:
    path.write_text(yaml.safe_dump({key: value for key, value in (SMALL | changes).items() if value is not None}))
    return path


def script_of(tmp_path, **changes: object) -> str:
    with read_job_queue(write(tmp_path / "cluster.yaml", **changes)).cluster() as cluster:
        return cluster.job_script()


def command(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/bash\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """A command that submits jobs, and never starts them."""
    command(tmp_path / "bin", "sbatch", "echo job 1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")


def test_the_example_is_valid_and_names_every_key():
    assert read_job_queue(EXAMPLE).kind == "slurm"
    assert set(yaml.safe_load(EXAMPLE.read_text())) == set(JobQueue.model_fields) - {"python"}


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("slurm", ["#SBATCH -p short", "#SBATCH -A us", "#SBATCH --cpus-per-task=2", "#SBATCH -t 00:10:00"]),
        ("pbs", ["#PBS -q short", "#PBS -A us", "#PBS -l select=1:ncpus=2:mem=1908MB", "#PBS -l walltime=00:10:00"]),
        ("lsf", ["#BSUB -q short", '#BSUB -P "us"', "#BSUB -n 2", "#BSUB -W 00:10"]),
    ],
)
def test_scripts_of_jobs(tmp_path, monkeypatch, kind, lines):
    monkeypatch.setenv("LODESTONE_REPRODUCIBLE", "1")
    hours = "00:10" if kind == "lsf" else "00:10:00"
    extras = {"queue": "short", "account": "us", "walltime": hours, "prologue": ["module load x"], "directives": ["-Z"]}
    script = script_of(tmp_path, kind=kind, **extras).splitlines()
    assert {*lines, "module load x", "export LODESTONE_REPRODUCIBLE='1'"} <= set(script)
    assert any(line.endswith(" -Z") and line.startswith("#") for line in script)
    (command,) = [line for line in script if "distributed.cli.dask_worker" in line]
    assert "--nthreads 1 --memory-limit 0.93GiB --nworkers 2 --nanny" in command
    assert "--interface lo" in command
    assert "--no-dashboard --dashboard-address 127.0.0.1:0" in command


def test_the_scheduler_listens_on_the_network_named_and_nowhere_else(tmp_path):
    with read_job_queue(write(tmp_path / "cluster.yaml")).cluster() as cluster:
        assert cluster.scheduler_address.startswith("tcp://127.0.0.1:")
        pages = cluster.scheduler.http_server
        assert {socket.getsockname()[0] for socket in pages._sockets.values()} == {"127.0.0.1"}


@pytest.mark.usefixtures("queue")
def test_tls_without_certificates_is_refused(tmp_path):
    with pytest.raises(LodestoneError, match="names no certificate for the scheduler"):
        running_cluster(write(tmp_path / "cluster.yaml", tls=True))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"kind": "sge"}, "kind: "),
        ({"quue": "short"}, "quue: Extra inputs are not permitted"),
        ({"interface": None}, "interface: Field required"),
        ({"jobs": 0}, "jobs: "),
        ({"cores": "many"}, "cores: "),
        ({"walltime": 4}, "walltime: "),
        ({"walltime": "four hours"}, "walltime: "),
        ({"queue": ""}, "queue: "),
    ],
)
def test_wrong_keys_are_named(tmp_path, changes, problem):
    with pytest.raises(LodestoneError, match=rf"LODESTONE_CLUSTER: .*cluster.yaml: {problem}"):
        read_job_queue(write(tmp_path / "cluster.yaml", **changes))


@pytest.mark.parametrize("text", ["kind: [", "- 1", ""])
def test_a_file_that_describes_no_jobs(tmp_path, text):
    (tmp_path / "cluster.yaml").write_text(text)
    with pytest.raises(LodestoneError, match="LODESTONE_CLUSTER"):
        read_job_queue(tmp_path / "cluster.yaml")


@pytest.mark.usefixtures("queue")
def test_a_network_that_is_not_there(tmp_path):
    with pytest.raises(LodestoneError, match=r"interface: .*ib77"):
        running_cluster(write(tmp_path / "cluster.yaml", interface="ib77"))


def test_a_queue_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LodestoneError, match="the command sbatch is not found"):
        running_cluster(write(tmp_path / "cluster.yaml"))


@pytest.mark.usefixtures("queue")
def test_a_queue_that_refuses_jobs(tmp_path):
    command(tmp_path / "bin", "sbatch", "echo 'invalid account' >&2; exit 1")
    with pytest.raises(LodestoneError, match=r"jobs cannot be started: [^$]*invalid account"):
        running_cluster(write(tmp_path / "cluster.yaml"))


# Runs tasks twice, and prints the results and the processes of the Dask workers.
CALLER = """
from dask_tasks import square, where
from lodestone.runtime.executor import run_all

if __name__ == "__main__":
    print(sorted(dict(run_all(square, {str(n): n for n in range(9)})).values()))
    print(*{pid for _, pid in run_all(where, {str(n): n for n in range(9)})})
"""


@pytest.mark.slow
def test_a_run_on_a_queue_ends_its_jobs(tmp_path):
    """The queue is played by two commands: one starts a job at once, one ends it."""
    pids = tmp_path / "pids"
    command(tmp_path / "bin", "sbatch", f"setsid bash $1 >/dev/null 2>&1 & echo $! >>{pids}; echo job $!; sleep 0.2")
    command(tmp_path / "bin", "scancel", "kill -- -$1")
    (tmp_path / "caller.py").write_text(CALLER)
    variables = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path), LODESTONE_EXECUTOR="dask")
    variables |= {"LODESTONE_CLUSTER": str(write(tmp_path / "cluster.yaml"))}
    variables["PATH"] = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    script = [sys.executable, tmp_path / "caller.py"]
    done = subprocess.run(script, env=variables, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    squares, workers = done.stdout.splitlines()
    assert squares == str([n**2 for n in range(9)])
    assert len(pids.read_text().split()) == 1, "one job for both runs"
    waiting.wait_for(lambda: not any(is_running(int(pid)) for pid in [*pids.read_text().split(), *workers.split()]))
