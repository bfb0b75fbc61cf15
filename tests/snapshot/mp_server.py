"""The part of the Materials Project API that a snapshot needs, served on the loopback interface, with its faults."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from lodestone.snapshot.downloads import retries

GOOD_KEY = "0123456789abcdefABCDEF0123456789"
VERSION = "2026.02.01"
KNOWN = {"thermo_types", "chemsys", "material_ids", "energy_above_hull_min", "energy_above_hull_max"}
PAGING = {"_limit", "_skip", "_fields", "_sort_fields"}
FOREVER = 10**9


@dataclass
class Fault:
    """What goes wrong with the page that begins after ``skip`` documents (``None``: with any), so many times."""

    skip: int | None = None
    times: int = 1
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    before: Callable[[], None] = lambda: None
    page: Callable[[dict], dict] = lambda page: page
    body: Callable[[bytes], bytes] = lambda body: body
    drop: bool = False


class MaterialsProject(ThreadingHTTPServer):
    """Serves thermo documents; ``requests`` holds what was asked for, ``faults`` what goes wrong, first come first."""

    daemon_threads = True

    def __init__(self, documents: list[dict]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.documents = documents
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.faults: list[Fault] = []
        self.heartbeat = {"version": "0.87.3", "db_version": VERSION, "access_controlled_batch_ids": []}
        self.refusal = 403
        self.silent = 0  # heartbeats to leave out, with the status `silence`
        self.silence = 503

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def skips(self) -> list[int]:
        """Pages asked for, by the number of documents before them."""
        return [int(query["_skip"]) for path, query in self.requests if path != "/heartbeat"]

    def fault(self, skip: int) -> Fault:
        """The fault of the page that is asked for now."""
        found = next((f for f in self.faults if f.times > 0 and f.skip in (None, skip)), Fault())
        found.times -= 1
        return found

    def page(self, query: dict[str, str]) -> dict:
        """Like the API, which gives documents in no order unless it is asked for one."""
        fits = [document for document in self.documents if _fits(document, query)]
        fits.sort(key=lambda d: d["material_id"], reverse=query.get("_sort_fields") != "material_id")
        skip, limit = int(query.get("_skip", 0)), int(query["_limit"])
        fields = query["_fields"].split(",")
        data = [{name: found[name] for name in fields if name in found} for found in fits[skip : skip + limit]]
        return {"data": data, "meta": {"total_doc": len(fits)}}


@contextmanager
def serving(server: MaterialsProject, patch: pytest.MonkeyPatch) -> Iterator[MaterialsProject]:
    """A running server, to which the environment points; nothing else can be reached, and nobody waits long."""
    resolve = socket.getaddrinfo

    def only_here(host, *args, **kwargs):  # so that the client cannot reach for the real API or S3
        assert host in ("127.0.0.1", "localhost"), f"reached for {host}"
        return resolve(host, *args, **kwargs)

    patch.setattr(socket, "getaddrinfo", only_here)
    patch.setattr(retries, "FIRST_WAIT", 0.001)
    for name, value in {"NO_PROXY": "127.0.0.1", "MP_API_KEY": GOOD_KEY, "MP_API_ENDPOINT": server.address}.items():
        patch.setenv(name, value)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def slowly(seconds: float) -> Callable[[], None]:
    """Answer late."""
    return lambda: time.sleep(seconds)


class _Handler(BaseHTTPRequestHandler):
    server: MaterialsProject

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        self.server.requests.append((address.path, query))
        if address.path == "/heartbeat":
            self.server.silent -= 1
            self._send(self.server.silence if self.server.silent >= 0 else 200, self.server.heartbeat)
        elif self.headers.get("X-API-KEY") != GOOD_KEY:
            self._send(self.server.refusal, {"message": "Invalid authentication credentials"})
        elif address.path != "/materials/thermo/":
            self._send(404, {"detail": "Not Found"})
        elif unknown := set(query) - KNOWN - PAGING:
            self._send(400, {"detail": f"Request contains query parameters which cannot be used: {unknown}"})
        elif not 0 < int(query["_limit"]) <= 1000:
            self._send(400, {"detail": "limit is set too high"})
        else:
            self._thermo(query)

    def _thermo(self, query: dict[str, str]) -> None:
        fault = self.server.fault(int(query.get("_skip", 0)))
        fault.before()
        if fault.status != 200:  # a server that tells more than it should
            self._send(fault.status, {"detail": f"no service for {self.headers.get('X-API-KEY')}"}, fault)
        else:
            self._send(200, fault.page(self.server.page(query)), fault)

    def _send(self, status: int, content: dict, fault: Fault | None = None) -> None:
        fault = fault or Fault()
        body = fault.body(json.dumps(content).encode())
        try:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **fault.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if fault.drop else body)
        except ConnectionError:
            pass  # the client has lost its patience

    def log_message(self, _: str, *args: object) -> None:
        pass


def _fits(document: dict, query: dict[str, str]) -> bool:
    if document["thermo_type"] not in query.get("thermo_types", document["thermo_type"]).split(","):
        return False
    if document["chemsys"] not in query.get("chemsys", document["chemsys"]).split(","):
        return False
    highest = float(query.get("energy_above_hull_max", "inf"))
    return float(query.get("energy_above_hull_min", "-inf")) <= document["energy_above_hull"] <= highest
