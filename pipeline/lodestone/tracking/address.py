"""Address of the MLflow store, without importing MLflow: in full, without secrets, and after its folder was moved."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from lodestone.runtime.redaction import public_address

EXPERIMENT = "lodestone"
URI_VARIABLE = "MLFLOW_TRACKING_URI"
_SQLITE = "sqlite:///"


def tracking_uri(root: Path) -> str:
    """``$MLFLOW_TRACKING_URI``, or a sqlite file in the root of the repository."""
    return os.environ.get(URI_VARIABLE) or f"{_SQLITE}{_own_file(root)}"


def public_uri(root: Path) -> str:
    """The address without user name and password, safe to display."""
    return public_address(tracking_uri(root))


def artifact_location(root: Path) -> str | None:
    """Where new artifacts go: beside the sqlite file; ``None`` if ``$MLFLOW_TRACKING_URI`` decides."""
    own = tracking_uri(root) == f"{_SQLITE}{_own_file(root)}"
    return (root.resolve() / "mlruns").as_uri() if own else None


def store_exists(root: Path) -> bool:
    """Whether there is a store; MLflow would create an empty one if the file is missing."""
    uri = tracking_uri(root)
    return not uri.startswith(_SQLITE) or Path(uri.removeprefix(_SQLITE)).is_file()


def bring_home(root: Path) -> bool:
    """Point the store of a folder that was moved or copied at the artifacts inside it.

    MLflow stores absolute addresses: a moved folder would point to models that cannot be loaded, and a copied folder
    would load those of the original.

    Returns:
        Whether anything was changed.
    """
    home = artifact_location(root)
    if home is None or not _own_file(root).is_file():
        return False
    try:
        with closing(sqlite3.connect(_own_file(root))) as store, store:
            return _repoint(store, home)
    except sqlite3.Error:  # not a database of MLflow: MLflow itself reports the problem
        return False


def _own_file(root: Path) -> Path:
    return root.resolve() / "mlflow.db"


def _repoint(store: sqlite3.Connection, home: str) -> bool:
    row = store.execute("SELECT artifact_location FROM experiments WHERE name = ?", (EXPERIMENT,)).fetchone()
    if row is None or row[0] == home or not row[0].startswith("file:"):
        return False
    for table, column in (("runs", "artifact_uri"), ("experiments", "artifact_location")):
        store.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column} || '/', 1, ?) = ?",  # noqa: S608
            (home, len(row[0]) + 1, len(row[0]) + 1, f"{row[0]}/"),
        )
    return True
