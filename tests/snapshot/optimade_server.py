"""The reference OPTIMADE server on the loopback interface: one database per provider, and faults on demand."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qs

from threaded_server import listening

FIELDS = {
    "mp": ["stability"],
    "alexandria": ["hull_distance", "formation_energy_per_atom", "energy", "energy_corrected"],
    "oqmd": ["delta_e", "stability"],
    "lab": [
        {"name": "formation_energy_per_atom", "type": "float", "unit": "eV/atom", "description": "formation energy"},
        {"name": "hull_distance", "type": "float", "unit": "eV/atom", "description": "distance to the hull"},
    ],
    "cell": [{"name": "formation_energy_per_atom", "type": "float", "unit": "eV", "description": "per cell, in fact"}],
    "bare": [],
}
# What to answer instead: status, headers and body; None lets the server answer.
Fault = Callable[[str, dict[str, str]], "tuple[int, dict[str, str], bytes] | None"]


@dataclass
class Running:
    """A running server.

    Attributes:
        address: Its address, without a database.
        requests: Path and parameters of each request, in order.
        fault: Asked before each answer.
        edit: Changes the JSON of each answer.
    """

    address: str = ""
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    fault: Fault = field(default=lambda path, query: None)
    edit: Callable[[dict[str, Any]], Any] = field(default=lambda content: content)

    def base(self, database: str) -> str:
        return f"{self.address}/{database}"

    def reset(self) -> None:
        self.requests.clear()
        self.fault, self.edit = (lambda path, query: None), (lambda content: content)

    def asked(self) -> list[dict[str, str]]:
        """Parameters of the requests for structures."""
        return [query for path, query in self.requests if path.endswith("/v1/structures")]


@contextmanager
def serving(documents: dict[str, list[dict]], logs: Path) -> Iterator[Running]:
    """Serve structures by database until the block ends."""
    from starlette.applications import Starlette
    from starlette.routing import Mount

    running = Running()
    # Neither the settings nor the log folder of whoever runs the tests.
    settings = logs / "settings.json"
    settings.write_text("{}")
    with mock.patch.dict(os.environ, {"OPTIMADE_CONFIG_FILE": str(settings), "OPTIMADE_LOG_DIR": str(logs)}):
        apps = [Mount(f"/{name}", app=_database(name, found, logs)) for name, found in documents.items()]
    app = _with_faults(Starlette(routes=apps), running)
    with listening(app) as running.address:
        yield running


def _database(name: str, documents: list[dict], logs: Path) -> Any:
    from optimade.models import Provider
    from optimade.server.config import ServerConfig
    from optimade.server.create_app import create_app

    config = ServerConfig(
        insert_test_data=False,
        mongo_database=name,
        provider=Provider(prefix=name, name=name, description="of the tests", homepage=None),
        provider_fields={"structures": FIELDS[name]},
        log_dir=logs,
        log_level="error",
    )
    app = create_app(config, logger_tag=name)
    # Straight into the database, as a provider's own scripts would do it: faulty documents get in, too.
    collection = app.state.entry_collections["structures"].collection
    collection.delete_many({})  # of an earlier server of this process, which shares the database in memory
    collection.insert_many([dict(found) for found in documents])
    return app


def _with_faults(app: Any, running: Running) -> Any:
    async def wrapped(scope: dict, receive: Any, send: Any) -> None:
        query = {name: found[0] for name, found in parse_qs(scope["query_string"].decode()).items()}
        running.requests.append((scope["path"], query))
        answer = running.fault(scope["path"], query)
        if answer is None:
            answer = await _answer(app, scope, receive, running)
        status, headers, body = answer
        pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": body})

    return wrapped


async def _answer(app: Any, scope: dict, receive: Any, running: Running) -> tuple[int, dict[str, str], bytes]:
    parts: list[bytes] = []
    status = 0

    async def keep(message: dict) -> None:
        nonlocal status
        status = message.get("status", status)
        parts.append(message.get("body", b""))

    plain = [
        (name, value) for name, value in scope["headers"] if name != b"accept-encoding"
    ]  # gzip is not ours to edit
    await app({**scope, "headers": plain}, receive, keep)
    content = json.loads(b"".join(parts))
    return status, {"content-type": "application/vnd.api+json"}, json.dumps(running.edit(content)).encode()
