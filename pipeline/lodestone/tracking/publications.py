"""A campaign in the store: its parent run, the runs below it, their models, and versions of these."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lodestone.tracking.evidence import EVIDENCE
from lodestone.tracking.promotions import APPLIED, DECISIONS, OUTCOME
from lodestone.tracking.records import CampaignRecord, DatasetRecord, Point, RunRecord
from lodestone.tracking.registry import MODEL, is_stored, log_model, model_id_of, register, versions_of

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Run
    from mlflow.tracking import MlflowClient

_BATCH = 1000
_BATCH_OF_PARAMS = 100
_PARENT = "mlflow.parentRunId"
_NOTE = "mlflow.note.content"
_DIGEST = "lodestone.digest"
_FORMAT = "lodestone.format"
_VERSION = "2"  # of what is written; a campaign written otherwise is written again


@dataclass(frozen=True)
class Publication:
    """One writing of a campaign.

    Attributes:
        runs: By display name; of an interrupted one, only some.
        parent: Name of the campaign's own run.
    """

    runs: dict[str, Run]
    parent: str

    @property
    def run_ids(self) -> set[str]:
        """Ids of its runs."""
        return {str(run.info.run_id) for run in self.runs.values()}

    def is_whole(self, client: MlflowClient, record: CampaignRecord) -> bool:
        """Whether the store has it with all its files; its parent run is finished last."""
        parent = self.runs.get(self.parent)
        if parent is None or parent.info.status != "FINISHED" or parent.data.tags.get(_FORMAT) != _VERSION:
            return False
        versions = {version.run_id: version for version in versions_of(client, self.run_ids)}
        for run in (record.parent, *record.children):
            if run.name not in self.runs or not _has_files(client, self.runs[run.name], run):
                return False
            version = versions.get(self.runs[run.name].info.run_id)
            if run.model is not None and (version is None or not is_stored(client, version)):
                return False
        return True


def publications_of(client: MlflowClient, experiment: str, record: CampaignRecord) -> list[Publication]:
    """All writings of a campaign, the newest first; there is more than one only after an interruption."""
    runs = client.search_runs([experiment], f"tags.`{_DIGEST}` = '{record.digest}'", max_results=_BATCH)
    by_parent: dict[str, dict[str, Run]] = {}
    for run in runs:
        owner = run.data.tags.get(_PARENT, run.info.run_id)
        by_parent.setdefault(str(owner), {})[str(run.info.run_name)] = run
    return [Publication(runs=group, parent=record.parent.name) for group in by_parent.values()]


def write(
    client: MlflowClient,
    experiment: str,
    record: CampaignRecord,
    commit: dict[str, str],
    evidence: Mapping[str, Any],
) -> Publication:
    """Write a campaign anew, with the evidence of what it was made of."""
    tags = {
        _DIGEST: record.digest,
        _FORMAT: _VERSION,
        "lodestone.snapshot": record.snapshot,
        "lodestone.labels": record.labels,
        **commit,
    }
    parent = _write_run(client, experiment, record.parent, tags)
    client.log_dict(parent, dict(evidence), EVIDENCE)
    for child in record.children:
        run_id = _write_run(client, experiment, child, tags, {_PARENT: parent})
        client.set_terminated(run_id)
    client.set_terminated(parent)
    return next(one for one in publications_of(client, experiment, record) if parent in one.run_ids)


def move_aliases(client: MlflowClient, old: Publication, new: Publication) -> None:
    """Give the versions of a publication the aliases and decisions of another of the same campaign."""
    own = {version.tags["lodestone.round"]: version for version in versions_of(client, new.run_ids)}
    for version in versions_of(client, old.run_ids):
        heir = own[version.tags["lodestone.round"]]
        for name in (DECISIONS, OUTCOME, APPLIED):
            if name in version.tags and name not in heir.tags:
                client.set_model_version_tag(MODEL, heir.version, name, version.tags[name])
        for alias in client.get_model_version(MODEL, version.version).aliases:
            client.set_registered_model_alias(MODEL, alias, heir.version)


def remove(client: MlflowClient, publication: Publication) -> None:
    """Remove runs, their models and the versions of these."""
    for version in versions_of(client, publication.run_ids):
        client.delete_model_version(MODEL, version.version)
        model_id = model_id_of(version)
        if model_id is not None:
            client.delete_logged_model(model_id)
    for run_id in publication.run_ids:
        client.delete_run(run_id)


def _has_files(client: MlflowClient, run: Run, record: RunRecord) -> bool:
    stored = {entry.path for entry in client.list_artifacts(run.info.run_id)} if record.files else set()
    return {path.name for path in record.files} <= stored


def _write_run(
    client: MlflowClient, experiment: str, record: RunRecord, tags: dict[str, str], own: dict[str, str] | None = None
) -> str:
    """Write a run with the tags of the campaign, which its model gets, too, and tags of its own."""
    from mlflow.entities import Param

    noted = {**tags, **(own or {}), **({_NOTE: record.note} if record.note else {})}
    begin = int((time.time() - record.seconds) * 1000)
    run_id = str(client.create_run(experiment, start_time=begin, tags=noted, run_name=record.name).info.run_id)
    params = [Param(key, str(value)) for key, value in record.params.items()]
    for start in range(0, len(params), _BATCH_OF_PARAMS):
        client.log_batch(run_id, params=params[start : start + _BATCH_OF_PARAMS])
    if record.datasets:
        client.log_inputs(run_id, [_dataset_input(dataset) for dataset in record.datasets])
    model_id = None
    if record.model is not None:
        model_id = log_model(client, run_id, record.name, record.model, tags)
    _log_points(client, run_id, record, model_id)
    for path in record.files:
        if path.is_dir():
            client.log_artifacts(run_id, str(path), path.name)
        else:
            client.log_artifact(run_id, str(path))
    if record.model is not None and model_id is not None:
        register(client, model_id, record.name, record.model, tags)
    return run_id


def _log_points(client: MlflowClient, run_id: str, record: RunRecord, model_id: str | None) -> None:
    """Log metrics; those of a set of crystals are linked to it and to the model that was measured."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    metrics = []
    for point in record.points:
        dataset = _measured_on(point, record.datasets) if model_id else None
        metrics.append(
            Metric(
                point.key,
                point.value,
                now,
                point.step,
                model_id=model_id if dataset else None,
                dataset_name=dataset.name if dataset else None,
                dataset_digest=dataset.digest if dataset else None,
            )
        )
    for start in range(0, len(metrics), _BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + _BATCH])


def _measured_on(point: Point, datasets: tuple[DatasetRecord, ...]) -> DatasetRecord | None:
    """The set that a metric such as ``within_round/test.ensemble.mae`` or ``.../unrelaxed.test...`` is about."""
    parts = point.key.partition("/")[2].split(".")[:2]
    return next((dataset for dataset in datasets if dataset.context in parts), None)


def _dataset_input(record: DatasetRecord) -> DatasetInput:
    import json

    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        name=record.name,
        digest=record.digest,
        source_type="local",
        source=json.dumps({"uri": record.source}),
        profile=json.dumps({"num_rows": record.n}),
    )
    return DatasetInput(dataset, tags=[InputTag("mlflow.data.context", record.context)])
