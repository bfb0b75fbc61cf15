"""Stores elsewhere: one that is down, one that hangs, a server, PostgreSQL, and files in a store like S3."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from test_promotions import aliases, next_campaign
from test_tracking import ROCK_SALT

from lodestone.tables.layout import UNPUBLISHED
from lodestone.tracking.client import StoreError
from lodestone.tracking.projection import project
from lodestone.tracking.registry import champion
from lodestone.tracking.store import publish, publish_or_defer
from waiting import wait_for

pytestmark = pytest.mark.slow

QUICK = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "1"}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def impatient(monkeypatch):
    for name, value in QUICK.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_a_campaign_ends_well_while_the_server_is_down_and_is_published_later(
    campaign, params, client, impatient, capsys
):
    with impatient.context() as down:
        down.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{free_port()}")
        deferred = publish_or_defer(campaign, params)
    told = capsys.readouterr().err
    assert told.startswith("note: not published yet: MLflow store http://127.0.0.1:")
    assert "secret" not in told
    assert "lodestone publish" in told
    assert (campaign / UNPUBLISHED).exists()
    assert publish_or_defer(campaign, params) == deferred == project(campaign, params).receipt()
    assert not (campaign / UNPUBLISHED).exists()
    assert aliases(client) == {"candidate": 1, "champion": 1}


def test_a_server_that_never_answers_holds_up_nobody(campaign, params, impatient):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        impatient.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(StoreError, match="cannot be used: no answer: Read timed out"):
            publish(campaign, params)


def test_a_database_without_its_driver_is_told(campaign, params, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:secret@127.0.0.1:1/runs")
    with pytest.raises(StoreError, match=r"postgresql://127\.0\.0\.1:1/runs needs the package psycopg") as fault:
        publish(campaign, params)
    assert "secret" not in str(fault.value)


@contextmanager
def served(folder: Path, *options: str, environment: dict[str, str] | None = None):
    """`mlflow server` with some options; gives its address."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    own = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **(environment or {})}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [*command, *options], cwd=folder, env=os.environ | own, stdout=log, stderr=log, start_new_session=True
        )
        try:
            wait_for(lambda: process.poll() is not None or _listens(port))
            assert process.poll() is None, (folder / "server.log").read_text()
            yield f"http://127.0.0.1:{port}"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def whole_life(campaign, params, address: str, monkeypatch) -> None:
    """Publish, publish better, load the champion."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert publish(campaign, params)["decision"]["outcome"] == "first"
    assert not publish(campaign, params)["created"]
    next_campaign(campaign, params, 0.3)
    assert publish(campaign, params)["decision"]["outcome"] == "promoted"
    name = champion(campaign)["model"]
    mlflow.set_tracking_uri(address)
    answer = mlflow.pyfunc.load_model(name).predict(pd.DataFrame([ROCK_SALT]))
    assert answer["energy_above_hull_pred"].notna().all()
    client = mlflow.tracking.MlflowClient(address)
    assert aliases(client) == {"candidate": 3, "champion": 3, "previous": 1}


@pytest.fixture
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.mark.slow
def test_a_server_over_http(campaign, params, folder, monkeypatch, empty_store):
    shutil.copy(empty_store, folder / "mlflow.db")
    options = ("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "files"))
    with served(folder, *options) as address:
        whole_life(campaign, params, address, monkeypatch)


@pytest.fixture
def postgresql():
    """Address of an empty database of a server of our own."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    programs = found[-1].parent if found else Path(shutil.which("initdb") or "").parent
    if not (programs / "initdb").exists():
        pytest.skip("PostgreSQL is not installed")
    base, port, user = Path(tempfile.mkdtemp(prefix="lodestone-postgresql-")), free_port(), []
    if os.geteuid() == 0:  # PostgreSQL refuses root, and its user may not enter the folders of pytest
        shutil.chown(base, "postgres")
        user = ["runuser", "-u", "postgres", "--"]

    def run(program: str, *arguments: str) -> None:
        command = [*user, str(programs / program), *arguments]
        subprocess.run(command, cwd=base, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    run("initdb", "-D", str(base / "data"), "-A", "trust", "-U", "lodestone")
    run("pg_ctl", "-D", str(base / "data"), "-o", f"-p {port} -k {base} -h 127.0.0.1", "-w", "start")
    try:
        run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "lodestone", "runs")
        yield f"postgresql://lodestone@127.0.0.1:{port}/runs"
    finally:
        run("pg_ctl", "-D", str(base / "data"), "-m", "immediate", "-W", "stop")
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def bucket(monkeypatch):
    """Address of an empty bucket of a server like S3."""
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
    port = free_port()
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    running.start()
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in (keys | {"MLFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}"}).items():
        monkeypatch.setenv(name, value)
    boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}").create_bucket(Bucket="models")
    yield "s3://models/campaigns"
    running.stop()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_server_with_postgresql_and_files_like_s3(campaign, params, folder, monkeypatch, postgresql, bucket):
    with served(folder, "--backend-store-uri", postgresql, "--artifacts-destination", bucket) as address:
        whole_life(campaign, params, address, monkeypatch)


@pytest.mark.slow
def test_postgresql_without_a_server(campaign, params, monkeypatch, postgresql):
    whole_life(campaign, params, postgresql, monkeypatch)
