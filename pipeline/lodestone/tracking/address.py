"""Address of the MLflow store, without importing MLflow: in full, without secrets, and after its folder was moved."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from lodestone.runtime.redaction import public_address

EXPERIMENT = "lodestone"
URI_VARIABLE = "MLFLOW_TRACKING_URI"
SQLITE = "sqlite:///"
ARTIFACTS = "mlruns"  # folder beside the sqlite file
# Where MLflow stores absolute addresses of files.
_ADDRESSES = (
    ("runs", "artifact_uri"),
    ("experiments", "artifact_location"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)


def tracking_uri(root: Path) -> str:
    """``$MLFLOW_TRACKING_URI``, or a sqlite file in the root of the repository."""
    return os.environ.get(URI_VARIABLE) or f"{SQLITE}{_own_file(root)}"


def public_uri(root: Path) -> str:
    """The address without user name and password, safe to display."""
    return public_address(tracking_uri(root))


def artifact_location(root: Path) -> str | None:
    """Where new artifacts go: beside the sqlite file; ``None`` if ``$MLFLOW_TRACKING_URI`` decides."""
    own = tracking_uri(root) == f"{SQLITE}{_own_file(root)}"
    return (root.resolve() / ARTIFACTS).as_uri() if own else None


def store_exists(root: Path) -> bool:
    """Whether there is a store; MLflow would create an empty one if the file is missing."""
    uri = tracking_uri(root)
    return not uri.startswith(SQLITE) or Path(uri.removeprefix(SQLITE)).is_file()


def bring_home(root: Path) -> bool:
    """Point the store of a folder that was moved or copied at the artifacts inside it.

    MLflow stores absolute addresses: a moved folder would point to models that cannot be loaded, and a copied folder
    would load those of the original.

    Returns:
        Whether anything was changed.
    """
    return artifact_location(root) is not None and bring_file_home(_own_file(root))


def bring_file_home(file: Path) -> bool:
    """Point a store, as a sqlite file, at the artifacts beside it, if these were made there; see :func:`bring_home`."""
    file = file.resolve()
    if not file.is_file() or not (file.parent / ARTIFACTS).is_dir():
        return False
    try:
        with closing(sqlite3.connect(file)) as store, store:
            return _repoint(store, (file.parent / ARTIFACTS).as_uri())
    except sqlite3.Error:  # not a database of MLflow, or a read-only one: MLflow itself reports the problem
        return False


def _own_file(root: Path) -> Path:
    return root.resolve() / "mlflow.db"


def _repoint(store: sqlite3.Connection, home: str) -> bool:
    row = store.execute("SELECT artifact_location FROM experiments WHERE name = ?", (EXPERIMENT,)).fetchone()
    if row is None or row[0] == home or not (row[0].startswith("file:") and row[0].endswith(f"/{ARTIFACTS}")):
        return False
    tables = {name for (name,) in store.execute("SELECT name FROM sqlite_master")}
    for table, column in _ADDRESSES:
        if table in tables:
            store.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column} || '/', 1, ?) = ?",  # noqa: S608
                (home, len(row[0]) + 1, len(row[0]) + 1, f"{row[0]}/"),
            )
    return True
