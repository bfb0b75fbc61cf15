"""The only importer of mlflow: writes a finished campaign into an MLflow store, and reads its registry.

MLflow is a projection: deleting its store loses nothing, `lodestone publish` makes it again from the artefacts.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lodestone.config.params import Params
from lodestone.errors import LodestoneError
from lodestone.tables.layout import RoundLayout
from lodestone.tracking.records import CampaignRecord, RunRecord, project

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

EXPERIMENT = "lodestone"
MODEL = "lodestone-ensemble"
CHAMPION = "champion"
_BATCH = 1000
_QUIET = ("mlflow", "alembic")
_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}


def tracking_uri(root: Path) -> str:
    """``$MLFLOW_TRACKING_URI``, or a sqlite file in the root of the repository."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root.resolve() / 'mlflow.db'}"


def publish(root: Path, params: Params) -> dict[str, Any]:
    """Write a finished campaign into MLflow, once: a campaign already there (by its digest) is left as it is.

    Args:
        root: Root of the repository.
        params: Parameters that the campaign ran with.

    Returns:
        The receipt (see :meth:`CampaignRecord.receipt`), and ``created``: whether anything was written.

    Raises:
        LodestoneError: If the campaign is not finished, or the store cannot be reached.
    """
    record = project(root, params)
    with _client(root) as client:
        experiment = _experiment(client, root)
        created = _published(client, experiment, record.digest) is None
        if created:
            _remove_unfinished(client, experiment, record.digest)
            _write(client, experiment, record, root)
    return {**record.receipt(), "created": created}


def champion(root: Path) -> dict[str, Any]:
    """The registered ensemble with the alias ``champion``.

    Raises:
        LodestoneError: If none is registered, or the store cannot be reached.
    """
    from mlflow.exceptions import MlflowException

    with _client(root) as client:
        try:
            version = client.get_model_version_by_alias(MODEL, CHAMPION)
        except MlflowException as error:
            raise LodestoneError(
                f"no {CHAMPION} of {MODEL} is registered in {tracking_uri(root)}", "run `lodestone publish` first"
            ) from error
        return {"model": f"models:/{MODEL}@{CHAMPION}", "version": int(version.version), **version.tags}


@contextmanager
def _client(root: Path) -> Iterator[MlflowClient]:
    """A quiet client; faults of the store become a :class:`LodestoneError`."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"mlflow\b")
        with _faults_told(tracking_uri(root)) as client:
            yield client


@contextmanager
def _faults_told(uri: str) -> Iterator[MlflowClient]:
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield MlflowClient(tracking_uri=uri, registry_uri=uri)
    except (MlflowException, SQLAlchemyError) as error:
        raise LodestoneError(
            f"MLflow store {uri} cannot be used: {str(error).splitlines()[0][:300]}",
            "check MLFLOW_TRACKING_URI and the disk, or delete a damaged mlflow.db; then run `lodestone publish`",
        ) from error


def _experiment(client: MlflowClient, root: Path) -> str:
    known = client.get_experiment_by_name(EXPERIMENT)
    if known is not None:
        return str(known.experiment_id)
    local = None if os.environ.get("MLFLOW_TRACKING_URI") else (root.resolve() / "mlruns").as_uri()
    return str(client.create_experiment(EXPERIMENT, artifact_location=local))


def _runs(client: MlflowClient, experiment: str, digest: str) -> list[Run]:
    return list(client.search_runs([experiment], f"tags.`lodestone.digest` = '{digest}'", max_results=_BATCH))


def _published(client: MlflowClient, experiment: str, digest: str) -> Run | None:
    """The finished parent run of a campaign; the parent is finished last."""
    runs = _runs(client, experiment, digest)
    finished = [run for run in runs if run.info.status == "FINISHED" and "mlflow.parentRunId" not in run.data.tags]
    return finished[0] if finished else None


def _remove_unfinished(client: MlflowClient, experiment: str, digest: str) -> None:
    """Remove what an interrupted publication left behind."""
    runs = {run.info.run_id for run in _runs(client, experiment, digest)}
    for version in client.search_model_versions(f"name = '{MODEL}'"):
        if version.run_id in runs:
            client.delete_model_version(MODEL, version.version)
    for run_id in runs:
        client.delete_run(run_id)


def _write(client: MlflowClient, experiment: str, record: CampaignRecord, root: Path) -> None:
    tags = {
        "lodestone.digest": record.digest,
        "lodestone.snapshot": record.snapshot,
        "lodestone.validation_set": record.validation_set,
        **_git_commit(root),
    }
    parent = _write_run(client, experiment, record.parent, tags)
    for child in record.children:
        run_id = _write_run(client, experiment, child, {**tags, "mlflow.parentRunId": parent})
        if child.model_of is not None:
            _register(client, run_id, child, child.model_of, tags)
        client.set_terminated(run_id)
    _choose_champion(client, record.validation_set)
    client.set_terminated(parent)


def _write_run(client: MlflowClient, experiment: str, record: RunRecord, tags: dict[str, str]) -> str:
    from mlflow.entities import Metric, Param

    run_id = str(client.create_run(experiment, tags=tags, run_name=record.name).info.run_id)
    now = int(time.time() * 1000)
    metrics = [Metric(point.key, point.value, now, point.step) for point in record.points]
    for start in range(0, len(metrics), _BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + _BATCH])
    params = [Param(key, str(value)) for key, value in record.params.items()]
    for start in range(0, len(params), 100):
        client.log_batch(run_id, params=params[start : start + 100])
    for path in record.files:
        client.log_artifact(run_id, str(path))
    return run_id


def _register(client: MlflowClient, run_id: str, run: RunRecord, files: RoundLayout, tags: dict[str, str]) -> None:
    """Keep the state dicts and configs of a round as a pyfunc, and register it as a version of the model."""
    import mlflow.pyfunc
    from mlflow.exceptions import MlflowException
    from mlflow.models import ModelSignature
    from mlflow.types import DataType, ParamSchema, ParamSpec

    input_structure = ParamSchema(
        [ParamSpec("input_structure", DataType.string, "relaxed")]
    )  # without it MLflow drops the parameter
    with tempfile.TemporaryDirectory() as scratch:
        data, model = Path(scratch, "data"), Path(scratch, "model")
        shutil.copytree(files.folder / "models", data / "models")
        shutil.copy(files.ensemble, RoundLayout(data).ensemble)
        shutil.copy(files.out_of_distribution, RoundLayout(data).out_of_distribution)
        mlflow.pyfunc.save_model(
            str(model),
            loader_module="lodestone.tracking.pyfunc",
            data_path=str(data),
            signature=ModelSignature(params=input_structure),
            pip_requirements=["lodestone-materials"],
        )
        client.log_artifacts(run_id, str(model), "model")
    try:
        client.get_registered_model(MODEL)
    except MlflowException:
        client.create_registered_model(MODEL, description="Networks of all views, combined as the campaign says")
    facts = {**tags, "lodestone.round": run.name, "lodestone.validation_mae": repr(run.validation_mae)}
    client.create_model_version(MODEL, source=f"runs:/{run_id}/model", run_id=run_id, tags=facts)


def _choose_champion(client: MlflowClient, validation_set: str) -> None:
    """Give the alias to the version with the least error, among those judged on the same crystals."""
    rivals = [
        version
        for version in client.search_model_versions(f"name = '{MODEL}'")
        if version.tags.get("lodestone.validation_set") == validation_set
    ]
    best: ModelVersion = min(rivals, key=lambda version: (_mae(version), int(version.version)))
    client.set_registered_model_alias(MODEL, CHAMPION, best.version)


def _mae(version: ModelVersion) -> float:
    return float(version.tags["lodestone.validation_mae"])


def _git_commit(root: Path) -> dict[str, str]:
    try:
        told = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"mlflow.source.git.commit": told.stdout.strip()}
