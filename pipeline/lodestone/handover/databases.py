"""Databases that are looked up for a formula through OPTIMADE: each once, and what it said is kept in a file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lodestone.errors import LodestoneError
from lodestone.handover.formula_endpoint import FormulaEndpoint
from lodestone.runtime.redaction import public_address
from lodestone.snapshot.downloads.download import downloads_folder
from lodestone.snapshot.optimade.client import RefusedError
from lodestone.snapshot.optimade.providers import NAMED
from lodestone.tables.files import read_json, write_atomically

# Databases of DFT calculations, and one of what has been made and measured.
SERVERS: Mapping[str, str] = MappingProxyType(
    {name: NAMED[name].address for name in ("materials_project", "oqmd", "alexandria")}
    | {"cod": "https://www.crystallography.net/cod/optimade"}
)
_LONGEST_REASON = 200  # characters
_POOL = re.compile(r": HTTPS?ConnectionPool\(.*?(?= \(tried|$)")  # whole addresses with their queries


@dataclass(frozen=True, kw_only=True)
class Server:
    """An OPTIMADE server.

    Attributes:
        name: As pages and tables call it.
        address: Base address, without the version.
    """

    name: str
    address: str


def servers(names: Sequence[str] = ()) -> list[Server]:
    """The servers of these names or addresses; those of :data:`SERVERS` without any.

    Raises:
        LodestoneError: If one is neither.
    """
    chosen = {server.address: server for server in map(_server, names or SERVERS)}
    return list(chosen.values())


def _server(name: str) -> Server:
    address = SERVERS.get(name, name)
    if not re.match(r"https?://[^/\s]", address):
        remedy = f"give some of {', '.join(SERVERS)}, or addresses that begin with https://"
        raise LodestoneError(f"--look-up {name!r} is neither the name of a database nor an address", remedy)
    address = re.sub(r"/+(v\d[\d.]*/*)?$", "", address)
    known = next((key for key, value in SERVERS.items() if value == address), public_address(address))
    return Server(name=known, address=address)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a database has of a formula.

    Attributes:
        entries: Its entries as OPTIMADE serves them; ``None`` if it did not answer.
        date: When it said so, ``YYYY-MM-DD``; ``None`` if it did not.
        reason: Why it did not answer.
    """

    entries: tuple[Mapping[str, Any], ...] | None = None
    date: str | None = None
    reason: str | None = None


@dataclass
class Database:
    """A server with a memory: a formula that it has once answered is not requested again, in this run or another.

    A server that does not answer is left alone for the rest of the run, and its answers are not kept, so that the next
    run tries it again.

    Attributes:
        server: The server.
        folder: Where its answers are kept; `look-ups` among the downloads by default.
        fault: Why it is left alone.
    """

    server: Server
    folder: Path = field(default_factory=lambda: downloads_folder() / "look-ups")
    fault: str | None = None

    def __post_init__(self) -> None:
        self._endpoint = FormulaEndpoint(self.server.address)

    def answer(self, formula: str) -> Answer:
        """What the database has of a formula, written as OPTIMADE reduces formulas."""
        path = self.folder / f"{_digest(self.server.address, formula)}.json"
        kept = _kept(path)
        if kept is None and self.fault is not None:
            return Answer(reason=self.fault)
        return kept or self._request(formula, path)

    def _request(self, formula: str, path: Path) -> Answer:
        try:
            entries = self._endpoint.of_formula(formula)
        except RefusedError as error:  # this formula; it may answer others
            return Answer(reason=_short(error.problem))
        except LodestoneError as error:
            self.fault = _short(error.problem)
            return Answer(reason=self.fault)
        except Exception as error:  # a server may answer anything, and the client of OPTIMADE expects OPTIMADE
            self.fault = _short(f"no answer that OPTIMADE knows: {type(error).__name__}: {error}")
            return Answer(reason=self.fault)
        date = datetime.now(UTC).date().isoformat()
        content = {"server": public_address(self.server.address), "formula": formula, "date": date, "entries": entries}
        text = json.dumps(content)  # with the numbers that are none, as they came
        write_atomically(path, lambda target: target.write_text(text, encoding="utf-8"))
        return Answer(entries=tuple(entries), date=date)


def _kept(path: Path) -> Answer | None:
    """A kept answer; ``None`` where there is none that can be read."""
    with suppress(LodestoneError, KeyError, TypeError):
        content = read_json(path)
        return Answer(entries=tuple(content["entries"]), date=str(content["date"]))
    return None


def _digest(address: str, formula: str) -> str:
    return hashlib.blake2b(f"{address}|{formula}".encode(), digest_size=16).hexdigest()


def _short(text: str) -> str:
    return public_address(_POOL.sub("", " ".join(text.split())))[:_LONGEST_REASON]
