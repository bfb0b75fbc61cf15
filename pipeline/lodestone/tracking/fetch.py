"""Registered models as folders on this machine."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

from lodestone.errors import LodestoneError
from lodestone.tracking.address import public_uri, store_exists, tracking_uri
from lodestone.tracking.client import connect


def fetch_model(uri: str, root: Path) -> Path:
    """The files of a registered ensemble; those of a store elsewhere are copied, and removed when the process ends.

    Args:
        uri: ``models:/NAME/VERSION`` or ``models:/NAME@ALIAS``.
        root: Root of the campaign, where the store is unless ``MLFLOW_TRACKING_URI`` says otherwise.

    Raises:
        LodestoneError: If there is no such model, it is none of ours, or the store cannot be reached.
    """
    remedy = "`lodestone publish` registers a campaign's models; run from its folder, or set MLFLOW_TRACKING_URI"
    if not store_exists(root):
        raise LodestoneError(f"{uri}: there is no MLflow store in {public_uri(root)}", remedy)
    with connect(root):
        from mlflow.artifacts import download_artifacts

        folder = tempfile.mkdtemp(prefix="lodestone-model-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        address = tracking_uri(root)
        local = Path(download_artifacts(uri, dst_path=folder, tracking_uri=address, registry_uri=address))
    found = next(iter(sorted(local.rglob("ensemble.json"))), None)
    if found is None:
        raise LodestoneError(f"{uri} is no ensemble of Lodestone", remedy)
    return found.parent
