"""The label store: each label is kept as soon as it exists, so none is ever computed twice."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Label, Oracle

_CREATE = """
CREATE TABLE IF NOT EXISTS labels (
    key TEXT PRIMARY KEY, oracle TEXT NOT NULL, settings TEXT NOT NULL, status TEXT NOT NULL,
    energy_per_atom REAL, crystal TEXT, n_steps INTEGER NOT NULL, seconds REAL NOT NULL, versions TEXT)
"""
_PATIENCE = 30.0  # seconds for another process to let go of the file
_PAUSE = 0.02
_COLUMNS = ("key", "oracle", "settings", "versions", "status", "energy_per_atom", "crystal", "n_steps", "seconds")
_INSERT = f"INSERT OR REPLACE INTO labels ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
_SAFE_TO_DELETE = (
    "it may be deleted without harm (its labels are then computed again, which costs time only; import again what was "
    "imported), or point LODESTONE_LABELS to another file"
)


def default_path() -> Path:
    """``$LODESTONE_LABELS``, or ``.lodestone/labels.sqlite`` under the working directory."""
    return Path(os.environ.get("LODESTONE_LABELS", ".lodestone/labels.sqlite"))


def label_keys(oracle: Oracle, crystals: Iterable[Crystal]) -> list[str]:
    """Keys of labels: content of the crystal, name, settings and package versions of the oracle."""
    identity = json.dumps(oracle.identity(), sort_keys=True)
    texts = (f"{crystal.digest()}|{identity}" for crystal in crystals)
    return [hashlib.blake2b(text.encode(), digest_size=16).hexdigest() for text in texts]


def label_key(oracle: Oracle, crystal: Crystal) -> str:
    """Key of the label of one crystal; see :func:`label_keys`."""
    [key] = label_keys(oracle, [crystal])
    return key


class LabelStore:
    """A sqlite file of labels; one process writes, any number may read.

    Args:
        path: The file; its folder is created.

    Raises:
        LodestoneError: If the file cannot be opened or is not a sqlite database.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=_PATIENCE)
            self._write_ahead()
            self._connection.execute(_CREATE)
            self._add_versions()
        except (sqlite3.Error, OSError) as error:
            raise LodestoneError(
                f"label store {path} cannot be opened: {error}",
                f"check the disk and the permissions; if it is damaged, {_SAFE_TO_DELETE}",
            ) from error

    def __enter__(self) -> LabelStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def __len__(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM labels").fetchone()[0])

    def get(self, key: str) -> Label | None:
        """The stored label of a key, or ``None``.

        Raises:
            LodestoneError: If the file is damaged.
        """
        query = "SELECT status, energy_per_atom, crystal, n_steps, seconds FROM labels WHERE key = ?"
        try:
            row = self._connection.execute(query, (key,)).fetchone()
            return None if row is None else _label(*row)
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise LodestoneError(
                f"label store {self.path} is damaged: {error}",
                _SAFE_TO_DELETE,
            ) from error

    def put(self, key: str, oracle: Oracle, label: Label) -> None:
        """Store one label durably before returning.

        Raises:
            LodestoneError: If the disk refuses the write; what was stored before stays.
        """
        crystal = None if label.crystal is None else _encode(label.crystal)
        who = (oracle.name, json.dumps(oracle.label_settings()), json.dumps(oracle.versions))
        row = (key, *who, label.status, label.energy_per_atom, crystal, label.n_steps, label.seconds)
        try:
            with self._connection:
                self._connection.execute(_INSERT, row)
        except sqlite3.Error as error:
            raise LodestoneError(
                f"label store {self.path} cannot be written: {error}",
                "free some disk space and run again; labels stored so far are kept",
            ) from error

    def _write_ahead(self) -> None:
        """Let readers and a writer go on side by side; sqlite does not wait by itself where two begin with a file."""
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
                time.sleep(_PAUSE)
            else:
                return

    def _add_versions(self) -> None:
        """Add the column of versions to an older store; its labels stay, under keys no longer used."""
        if "versions" not in {row[1] for row in self._connection.execute("PRAGMA table_info(labels)")}:
            with self._connection:
                self._connection.execute("ALTER TABLE labels ADD COLUMN versions TEXT")


def _label(status: str, energy_per_atom: float | None, crystal: str | None, n_steps: int, seconds: float) -> Label:
    return Label(status, energy_per_atom, None if crystal is None else _decode(crystal), n_steps, seconds)


def _encode(crystal: Crystal) -> str:
    fields = (crystal.lattice, crystal.atomic_numbers, crystal.frac_coords)
    return json.dumps([field.tolist() for field in fields])


def _decode(text: str) -> Crystal:
    return Crystal(*json.loads(text))
