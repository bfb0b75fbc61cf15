"""A quiet client of the MLflow store, with one clear message for each fault."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lodestone.errors import LodestoneError
from lodestone.runtime.redaction import public_address
from lodestone.tracking.address import EXPERIMENT, URI_VARIABLE, bring_home, public_uri, store_exists, tracking_uri

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_REGISTRY_VARIABLE = "MLFLOW_REGISTRY_URI"
_QUIET = ("mlflow", "alembic")
_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",  # s; a campaign must not hang on a server that does
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}
# Packages whose exceptions mean that a server, a database or a file store refuses.
_STORES = ("mlflow", "sqlalchemy", "requests", "urllib3", "botocore", "boto3")
# At the end of what urllib3 says about a server that does not answer, after all it has tried.
_CAUSE = re.compile(r"""Caused by \w+\(.*\): (.+?)["']?\)+$""")


class StoreError(LodestoneError):
    """The MLflow store cannot be used; a campaign is finished all the same, and can be published later."""


@contextmanager
def connect(root: Path) -> Iterator[MlflowClient]:
    """A client of the store of a repository; inside, it is also what MLflow's own functions use.

    Raises:
        StoreError: If the store cannot be reached or is damaged.
    """
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"mlflow\b")
        bring_home(root)
        with _clear_faults(root), _current_store(tracking_uri(root)) as client:
            yield client


def experiment_id(root: Path) -> str | None:
    """Id of the experiment, or ``None`` if the store or the experiment does not exist; neither is created.

    Raises:
        StoreError: If there is a store that cannot be used.
    """
    if not store_exists(root):
        return None
    with connect(root) as client:
        known = client.get_experiment_by_name(EXPERIMENT)
        return None if known is None else str(known.experiment_id)


@contextmanager
def _current_store(uri: str) -> Iterator[MlflowClient]:
    """MLflow resolves addresses such as ``models:/...`` by its current store, whichever client it is asked through."""
    import mlflow
    from mlflow.tracking import MlflowClient

    before = {name: os.environ.get(name) for name in (URI_VARIABLE, _REGISTRY_VARIABLE)}
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        yield MlflowClient(tracking_uri=uri, registry_uri=uri)
    finally:  # MLflow sets the variables, too, and reads them where nothing is set
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
        mlflow.set_registry_uri(None)  # type: ignore[arg-type]
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _clear_faults(root: Path) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        if not _is_driver(error):
            raise
        remedy = "install it into this environment; then run `lodestone publish`"
        raise StoreError(f"MLflow store {public_uri(root)} needs the package {error.name}", remedy) from None
    except Exception as error:
        if not any(kind.__module__.partition(".")[0] in _STORES for kind in type(error).__mro__):
            raise
        raise StoreError(
            f"MLflow store {public_uri(root)} cannot be used: {_first_line(error)}",
            "check MLFLOW_TRACKING_URI, the network and the disk, or delete a damaged mlflow.db (nothing is lost); "
            "then run `lodestone publish`",
        ) from None  # the cause would show the address in full


def _is_driver(error: ImportError) -> bool:
    return error.name in ("psycopg", "psycopg2", "pymysql", "MySQLdb", "boto3")


def _first_line(error: Exception) -> str:
    text = (str(error).splitlines() or [type(error).__name__])[0]
    caused = _CAUSE.search(text)
    return public_address(f"no answer: {caused[1]}" if caused else text)[:300]
