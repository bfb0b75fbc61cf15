"""`lodestone ui`: a page in somebody's browser cannot reach the runs under another name, nor change them."""

import json
import os
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest
from test_stores import free_port

from lodestone.runtime.processes import is_running
from waiting import wait_for

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SEARCH, CREATE = "/ajax-api/2.0/mlflow/experiments/search", "/ajax-api/2.0/mlflow/experiments/create"


@pytest.fixture(scope="module")
def port(shared_campaign):
    """That of the pages of a published campaign."""
    port = free_port()
    command = [sys.executable, "-m", "lodestone", "ui", "--port", str(port), "--no-browser"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment = kept | {"PYTHONPATH": str(ROOT / "pipeline"), "MLFLOW_DISABLE_TELEMETRY": "true"}
    with subprocess.Popen(command, cwd=shared_campaign, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert f"http://127.0.0.1:{port}/#/experiments/" in server.stdout.readline()
        wait_for(lambda: not is_running(server.pid) or answers(port))
        yield port
        server.terminate()


def answers(port: int) -> bool:
    try:
        return status(port, "GET", "/health") == 200
    except OSError:
        return False


def status(port: int, method: str, path: str, **headers: str) -> int:
    connection = HTTPConnection("127.0.0.1", port)
    body = json.dumps({"max_results": 5, "name": f"experiment of {len(headers)} {headers}"})
    connection.request(method, path, body, {"content-type": "application/json"} | headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_this_machine_is_answered(port):
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", "localhost"):
        assert status(port, "POST", SEARCH, host=host) == 200
        assert status(port, "GET", "/", host=host) == 200
    assert status(port, "POST", SEARCH, origin=f"http://localhost:{port}") == 200


@pytest.mark.parametrize("host", ["evil.example", "10.evil.example", "192.168.evil.example", "localhost.evil.example"])
def test_a_foreign_host_gets_403(port, host):
    for method, path in (("POST", SEARCH), ("GET", "/"), ("POST", CREATE)):
        assert status(port, method, path, host=host) == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "https://localhost.evil.example", "null"])
def test_a_foreign_origin_gets_403(port, origin):
    for path in (SEARCH, CREATE):
        assert status(port, "POST", path, origin=origin) == 403
