"""Writes a finished campaign into an MLflow store, once.

MLflow is a projection: deleting its store loses nothing, because `lodestone publish` rebuilds it from the artifacts.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lodestone.config.params import Params
from lodestone.runtime.disk import check_writable
from lodestone.tracking.address import EXPERIMENT, artifact_location
from lodestone.tracking.client import connect
from lodestone.tracking.projection import project
from lodestone.tracking.records import CampaignRecord, RunRecord
from lodestone.tracking.registry import MODEL, choose_champion, is_stored, register
from lodestone.tracking.revision import git_tags

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

_BATCH = 1000
_PARENT = "mlflow.parentRunId"


def publish(root: str | Path, params: Params) -> dict[str, Any]:
    """Write a finished campaign into MLflow, once: a campaign that is already there (same digest) is left unchanged.

    A campaign whose files are missing from the store is written again.

    Args:
        root: Root of the repository.
        params: Parameters of the campaign.

    Returns:
        The receipt (see :meth:`CampaignRecord.receipt`), and ``created``: whether anything was written.

    Raises:
        LodestoneError: If the campaign is not finished, or the store cannot be reached or written.
    """
    root = Path(root)
    record = project(root, params)
    if artifact_location(root):
        check_writable(root)
    with connect(root) as client:
        experiment = _experiment(client, root)
        created = not _is_published(client, experiment, record)
        if created:
            _remove(client, experiment, record.digest)
            _write(client, experiment, record, root)
    return {**record.receipt(), "created": created}


def _experiment(client: MlflowClient, root: Path) -> str:
    known = client.get_experiment_by_name(EXPERIMENT)
    if known is not None:
        return str(known.experiment_id)
    return str(client.create_experiment(EXPERIMENT, artifact_location=artifact_location(root)))


def _runs(client: MlflowClient, experiment: str, digest: str) -> list[Run]:
    return list(client.search_runs([experiment], f"tags.`lodestone.digest` = '{digest}'", max_results=_BATCH))


def _is_published(client: MlflowClient, experiment: str, record: CampaignRecord) -> bool:
    """Whether the store has a campaign with all its files; its parent run is finished last."""
    runs = {run.info.run_name: run for run in _runs(client, experiment, record.digest)}
    parent = runs.get(record.parent.name)
    if parent is None or parent.info.status != "FINISHED":
        return False
    return all(run.name in runs and _is_whole(client, runs[run.name], run) for run in (record.parent, *record.children))


def _is_whole(client: MlflowClient, run: Run, record: RunRecord) -> bool:
    run_id = str(run.info.run_id)
    if record.model_of is not None and not is_stored(client, run_id):
        return False
    stored = {entry.path for entry in client.list_artifacts(run_id)} if record.files else set()
    return {path.name for path in record.files} <= stored


def _remove(client: MlflowClient, experiment: str, digest: str) -> None:
    """Remove an incomplete publication: an interrupted one, or one that lost files."""
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
        **git_tags(root),
    }
    parent = _write_run(client, experiment, record.parent, tags)
    for child in record.children:
        run_id = _write_run(client, experiment, child, {**tags, _PARENT: parent})
        if child.model_of is not None:
            register(client, run_id, child, child.model_of, tags)
        client.set_terminated(run_id)
    choose_champion(client, record.validation_set)
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
