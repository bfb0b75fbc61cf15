"""The part of the Materials Project API that a snapshot needs, served on the loopback interface."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

GOOD_KEY = "0123456789abcdefABCDEF0123456789"
HEARTBEAT = {"version": "0.87.3", "db_version": "2026.02.01", "access_controlled_batch_ids": []}


class MaterialsProject(ThreadingHTTPServer):
    """Serves thermo documents.

    ``requests`` holds what was asked for; ``status`` overrides every answer but the heartbeat, and echoes the key.
    """

    daemon_threads = True

    def __init__(self, documents: list[dict]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.documents = documents
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.status = 200
        self.refusal = 403

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving(documents: list[dict]) -> Iterator[MaterialsProject]:
    """A running server."""
    with MaterialsProject(documents) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: MaterialsProject

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        self.server.requests.append((address.path, query))
        if address.path == "/heartbeat":
            self._answer(200, HEARTBEAT)
        elif self.server.status != 200:
            self._answer(self.server.status, {"detail": f"no service for {self.headers.get('X-API-KEY')}"})
        elif self.headers.get("X-API-KEY") != GOOD_KEY:
            self._answer(self.server.refusal, {"message": "Invalid authentication credentials"})
        elif address.path.rstrip("/") != "/materials/thermo":
            self._answer(404, {"detail": "Not Found"})
        else:
            self._answer(200, _page(self.server.documents, query))

    def _answer(self, status: int, content: dict) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _page(documents: list[dict], query: dict[str, str]) -> dict:
    fits = [document for document in documents if _fits(document, query)]
    skip, limit = int(query.get("_skip", 0)), int(query["_limit"])
    fields = query["_fields"].split(",")
    data = [{name: found[name] for name in fields if name in found} for found in fits[skip : skip + limit]]
    return {"data": data, "meta": {"total_doc": len(fits)}}


def _fits(document: dict, query: dict[str, str]) -> bool:
    for name, key in (("thermo_types", "thermo_type"), ("chemsys", "chemsys"), ("material_ids", "material_id")):
        if name in query and document[key] not in query[name].split(","):
            return False
    highest = float(query.get("energy_above_hull_max", "inf"))
    return float(query.get("energy_above_hull_min", "-inf")) <= document["energy_above_hull"] <= highest
