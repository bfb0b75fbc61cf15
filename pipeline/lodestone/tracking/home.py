"""Stores of MLflow in sqlite files whose folder may have been moved; MLflow finds them as entry points of this package.

MLflow opens a sqlite file by these builders in every process in which the package is installed: in a notebook, in
``mlflow ui``, in ``mlflow models serve``. They differ from its own in one thing: a store of a campaign whose folder was
moved or copied is first pointed at the files inside it (:func:`lodestone.tracking.address.bring_file_home`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lodestone.tracking.address import SQLITE, bring_file_home


def tracking_store(store_uri: str, artifact_uri: str | None = None) -> Any:
    """The tracking store of a sqlite file."""
    from mlflow.tracking._tracking_service.utils import _get_sqlalchemy_store

    bring_file_home(_file(store_uri))
    return _get_sqlalchemy_store(store_uri, artifact_uri)


def registry_store(store_uri: str) -> Any:
    """The model registry of a sqlite file."""
    from mlflow.tracking._model_registry.utils import _get_sqlalchemy_store

    bring_file_home(_file(store_uri))
    return _get_sqlalchemy_store(store_uri)


def _file(store_uri: str) -> Path:
    return Path(store_uri.removeprefix(SQLITE).partition("?")[0])
