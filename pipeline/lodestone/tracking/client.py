"""A quiet client of the MLflow store, with one clear message for each fault."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lodestone.errors import LodestoneError
from lodestone.runtime.redaction import public_address
from lodestone.tracking.address import EXPERIMENT, bring_home, public_uri, store_exists, tracking_uri

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_QUIET = ("mlflow", "alembic")
_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}


@contextmanager
def connect(root: Path) -> Iterator[MlflowClient]:
    """A client of the store of a repository.

    Raises:
        LodestoneError: If the store cannot be reached or is damaged.
    """
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"mlflow\b")
        bring_home(root)
        with _clear_faults(root) as client:
            yield client


def experiment_id(root: Path) -> str | None:
    """Id of the experiment, or ``None`` if the store or the experiment does not exist; neither is created.

    Raises:
        LodestoneError: If there is a store that cannot be used.
    """
    if not store_exists(root):
        return None
    with connect(root) as client:
        known = client.get_experiment_by_name(EXPERIMENT)
        return None if known is None else str(known.experiment_id)


@contextmanager
def _clear_faults(root: Path) -> Iterator[MlflowClient]:
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient
    from sqlalchemy.exc import SQLAlchemyError

    uri = tracking_uri(root)
    try:
        yield MlflowClient(tracking_uri=uri, registry_uri=uri)
    except (MlflowException, SQLAlchemyError) as error:
        raise LodestoneError(
            f"MLflow store {public_uri(root)} cannot be used: {_first_line(error)}",
            "check MLFLOW_TRACKING_URI, the network and the disk, or delete a damaged mlflow.db (nothing is lost); "
            "then run `lodestone publish`",
        ) from None  # the cause would show the address in full


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return public_address(lines[0])[:300]
