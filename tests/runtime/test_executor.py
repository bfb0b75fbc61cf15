"""The environment names the executor; what it says wrong is refused before work begins."""

import os

import pytest

from dask_tasks import choose_dask, square
from lodestone.errors import LodestoneError
from lodestone.runtime import dask_executor
from lodestone.runtime.executor import (
    CLUSTER,
    EXECUTOR,
    SCHEDULER,
    chosen_executor,
    n_places,
    prepare_executor,
    run_all,
)
from lodestone.runtime.installation import differences, installation
from lodestone.runtime.parallel import process_all

QUEUE = "kind: slurm\ninterface: lo\njobs: 1\ncores: 2\nmemory: 1GB\nwalltime: '00:10:00'\n"


def choose(monkeypatch, **variables: str) -> None:
    for name in (EXECUTOR, SCHEDULER, CLUSTER):
        monkeypatch.setenv(name, variables.get(name, ""))


def test_without_variables_it_is_this_machine(monkeypatch):
    choose(monkeypatch)
    assert chosen_executor() is None
    tasks = {str(n): n for n in range(3)}
    assert dict(run_all(square, tasks)) == dict(process_all(square, tasks)) == {"0": 0, "1": 1, "2": 4}


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({EXECUTOR: "spark"}, "LODESTONE_EXECUTOR is 'spark'"),
        ({EXECUTOR: "dask"}, "neither of LODESTONE_SCHEDULER and LODESTONE_CLUSTER is set"),
        ({EXECUTOR: "dask", SCHEDULER: "tcp://a:1", CLUSTER: "x.yaml"}, "each of .* is set"),
        ({EXECUTOR: "local", SCHEDULER: "tcp://a:1"}, "LODESTONE_SCHEDULER is set, but LODESTONE_EXECUTOR is not dask"),
        ({CLUSTER: "x.yaml"}, "LODESTONE_CLUSTER is set, but"),
        ({EXECUTOR: "dask", SCHEDULER: "login-node:8786"}, "LODESTONE_SCHEDULER is 'login-node:8786'"),
        ({EXECUTOR: "dask", SCHEDULER: "http://login-node:8786"}, "LODESTONE_SCHEDULER is 'http"),
        ({EXECUTOR: "dask", SCHEDULER: "tcp://login-node"}, "LODESTONE_SCHEDULER is 'tcp"),
        ({EXECUTOR: "dask", CLUSTER: "missing.yaml"}, "missing.yaml cannot be read"),
    ],
)
def test_what_says_nothing_is_refused(monkeypatch, variables, problem):
    choose(monkeypatch, **variables)
    with pytest.raises(LodestoneError, match=problem):
        prepare_executor()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:8786", "tls://node-1.cluster.example:1", "tcp://[fe80::1]:8786"])
def test_addresses_of_schedulers(monkeypatch, address):
    choose_dask(monkeypatch, address)
    assert chosen_executor().scheduler == address


def test_a_file_of_jobs_is_found_from_other_folders_too(monkeypatch, tmp_path):
    (tmp_path / "cluster.yaml").write_text(QUEUE)
    monkeypatch.chdir(tmp_path)
    choose(monkeypatch, LODESTONE_EXECUTOR="dask", LODESTONE_CLUSTER="cluster.yaml")
    prepare_executor()
    assert n_places() == 2, "cores of all jobs"
    assert os.environ[CLUSTER] == str(tmp_path / "cluster.yaml")


def test_dask_that_is_not_installed_is_named(monkeypatch):
    choose_dask(monkeypatch, "tcp://127.0.0.1:8786")
    monkeypatch.setattr(dask_executor, "find_spec", lambda module: None if module == "distributed" else object())
    with pytest.raises(LodestoneError, match="needs the package distributed") as caught:
        prepare_executor()
    assert caught.value.remedy == "pip install 'lodestone-materials[cluster]'"


def test_no_tasks_need_no_scheduler(monkeypatch):
    choose_dask(monkeypatch, "tcp://127.0.0.1:1")
    assert dict(run_all(square, {})) == {}


def test_installations_differ_by_what_computes(monkeypatch):
    here = installation()
    assert {"python", "lodestone", "numpy", "torch", "chgnet"} <= here.keys()
    assert differences(here, installation()) == []
    there = {name: text for name, text in here.items() if name != "vesin"} | {"numpy": "1.0"}
    assert differences(here, there) == [
        f"numpy is 1.0 there, {here['numpy']} here",
        f"vesin is missing there, {here['vesin']} here",
    ]
    monkeypatch.setenv("MKL_CBWR", "other")
    assert differences(here, installation()) != []
