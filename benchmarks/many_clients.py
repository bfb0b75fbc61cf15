"""A server of `lodestone serve` in a process of its own, and many clients that ask it at once."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from options import ONE_THREAD, ROOT

_PAUSE = 0.1  # s between looks at a server that starts


@dataclass(frozen=True)
class Answer:
    """What one request got.

    Attributes:
        status: Of HTTP.
        content: JSON.
        seconds: From sending the request to the last byte of the answer.
    """

    status: int
    content: dict[str, Any]
    seconds: float


@contextmanager
def serving(*words: str) -> Iterator[int]:
    """The port of a server that is up; it ends with the block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "lodestone", "serve", "--port", str(port), *words]
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": str(ROOT / "pipeline")}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as server:
        try:
            while not _is_up(port):
                assert server.poll() is None, f"the server ended with {server.returncode}"
                time.sleep(_PAUSE)
            yield port
        finally:
            server.terminate()


def ask_all(port: int, bodies: Sequence[dict[str, Any]], clients: int) -> list[Answer]:
    """Send every body once, by clients that each wait for an answer before they send the next.

    Returns:
        The answers, in the order of the bodies.
    """
    shares = [range(first, len(bodies), clients) for first in range(clients)]
    with ThreadPoolExecutor(clients) as pool:
        told = list(pool.map(lambda share: _ask(port, [bodies[place] for place in share]), shares))
    return [told[place % clients][place // clients] for place in range(len(bodies))]


def _ask(port: int, bodies: Sequence[dict[str, Any]]) -> list[Answer]:
    connection, answers = HTTPConnection("127.0.0.1", port), []
    for body in bodies:
        began = time.perf_counter()
        connection.request("POST", "/predict", json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        answers.append(Answer(response.status, json.loads(content), time.perf_counter() - began))
    connection.close()
    return answers


def _is_up(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
