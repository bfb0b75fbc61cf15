"""The server of `lodestone ui` never outlives the command."""

import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from lodestone.cli import ui
from lodestone.runtime.processes import is_running
from waiting import HANG, wait_for

ROOT = Path(__file__).parents[2]
# Like MLflow's: a process that starts the one which listens, and ends it when it is asked to end.
SERVER = """
import os, signal, subprocess, sys
from pathlib import Path
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
signal.signal(signal.SIGTERM, lambda *_: (worker.kill(), os._exit(0)))
Path("pids.tmp").write_text(f"{os.getpid()} {worker.pid}")
Path("pids.tmp").rename("pids")
worker.wait()
"""
START = "import sys; from lodestone.cli.ui import serve; sys.exit(serve([sys.executable, 'server.py']))"
CTRL_C, KILL, TERMINATE = signal.SIGINT, signal.SIGKILL, signal.SIGTERM


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells children of their parent's end")
@pytest.mark.parametrize(
    ("whom", "number", "code"),
    [("command", CTRL_C, 0), ("command", TERMINATE, 0), ("command", KILL, -9), ("server", KILL, -9 % 256)],
)
def test_nothing_is_left_on_the_port(whom, number, code, tmp_path):
    (tmp_path / "server.py").write_text(SERVER)
    environment = os.environ | {"PYTHONPATH": str(ROOT / "pipeline")}
    command = subprocess.Popen([sys.executable, "-c", START], cwd=tmp_path, env=environment)
    wait_for((tmp_path / "pids").exists)
    server, worker = map(int, (tmp_path / "pids").read_text().split())
    os.kill(command.pid if whom == "command" else server, number)
    assert command.wait(timeout=HANG) == code
    wait_for(lambda: not is_running(server) and not is_running(worker))


class Health(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


def test_the_page_is_opened_once_the_server_answers(monkeypatch):
    opened = []
    monkeypatch.setattr(ui.webbrowser, "open", opened.append)
    with HTTPServer(("127.0.0.1", 0), Health) as server:
        Thread(target=server.handle_request, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        ui._open_when_up(address, "#/experiments/1/runs")
    assert opened == [f"{address}/#/experiments/1/runs"]
