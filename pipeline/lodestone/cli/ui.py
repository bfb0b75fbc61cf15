"""`lodestone ui`."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
import urllib.request
import webbrowser
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

from lodestone.cli.arguments import port
from lodestone.config.load import load_params
from lodestone.errors import LodestoneError
from lodestone.runtime.processes import die_with_parent, heed_ctrl_c

# MLflow by itself answers to any name that begins like a private address, 10.evil.example too.
_OUR_NAMES = "localhost,localhost:*,127.0.0.1,127.0.0.1:*"
_PATIENCE = 120  # s that the server may take to start


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser("ui", help="browse the runs with MLflow")
    parser.add_argument("--port", type=port, default=5000, help="on 127.0.0.1 (default: %(default)s)")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from lodestone.tracking.address import public_uri, tracking_uri

    uri = tracking_uri(Path())
    if uri.startswith("http"):
        problem = f"MLFLOW_TRACKING_URI is the server {public_uri(Path())}"
        raise LodestoneError(problem, "open it in a browser, or unset the variable")
    if "MAKELEVEL" in os.environ:  # started by make: end when make is killed
        die_with_parent(signal.SIGTERM)
    page = _first_page(Path())
    address = f"http://127.0.0.1:{arguments.port}"
    print(f"MLflow on {address}/{page} (Ctrl-C ends it)", flush=True)
    if sys.stdout.isatty() and not arguments.no_browser:
        Thread(target=_open_when_up, args=(address, page), daemon=True).start()
    where = ["--backend-store-uri", uri, "--host", "127.0.0.1", "--port", str(arguments.port), "--workers", "1"]
    return serve([sys.executable, "-m", "mlflow", "ui", *where])


def _first_page(root: Path) -> str:
    """Page with the runs and charts of the campaigns; MLflow's own default is a page about language models."""
    from lodestone.tracking.address import store_exists
    from lodestone.tracking.client import experiment_id
    from lodestone.tracking.store import publish

    experiment = experiment_id(root)  # refuses a damaged store
    try:
        publish(root, load_params())
    except LodestoneError as error:
        if not store_exists(root):
            raise
        print(f"note: the campaign in this folder is not shown: {error}", file=sys.stderr)
    experiment = experiment_id(root) or experiment
    chart = "runs?workflowType=machine_learning&compareRunsMode=CHART"
    return f"#/experiments/{experiment}/{chart}" if experiment else ""


def _open_when_up(address: str, page: str) -> None:
    """Open the page in the user's browser, once the server answers."""
    for _ in range(_PATIENCE):
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=1):  # noqa: S310 - our own server
                webbrowser.open(f"{address}/{page}")
                return
        except OSError:
            time.sleep(1)


def serve(command: list[str]) -> int:
    """Run the server until it or this process ends, and leave none of its processes on the port."""
    defaults = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_SERVER_ALLOWED_HOSTS": _OUR_NAMES}
    environment = defaults | os.environ  # no background jobs
    end_with_us = partial(die_with_parent, signal.SIGTERM)
    server = subprocess.Popen(command, env=environment, start_new_session=True, preexec_fn=end_with_us)
    signal.signal(signal.SIGTERM, _interrupt)
    heed_ctrl_c()
    try:
        return server.wait()
    except KeyboardInterrupt:
        server.terminate()
        server.wait()
        return 0
    finally:
        _end_group(server.pid)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _end_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return
