"""All that a store knows about where a registered ensemble comes from."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lodestone.errors import LodestoneError
from lodestone.tables.files import read_json
from lodestone.tracking.address import public_uri, store_exists
from lodestone.tracking.client import connect
from lodestone.tracking.evidence import EVIDENCE
from lodestone.tracking.promotions import decisions_of
from lodestone.tracking.registry import CANDIDATE, CHAMPION, MODEL, PREVIOUS, no_champion

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

_ALIASES = (CHAMPION, CANDIDATE, PREVIOUS)
_PREFIX = "models:/"
_PARENT = "mlflow.parentRunId"
_COMMIT = "mlflow.source.git.commit"


def names_model(text: str) -> bool:
    """Whether a text names a registered ensemble: a version, an alias, or an address that begins with ``models:/``."""
    return text.isdecimal() or text in _ALIASES or text.startswith(_PREFIX)


def model_lineage(root: Path, name: str) -> dict[str, Any]:
    """Where a registered ensemble comes from.

    Args:
        root: Root of the campaign, where the store is unless ``MLFLOW_TRACKING_URI`` says otherwise.
        name: See :func:`names_model`.

    Returns:
        ``model``, ``code``, ``parameters``, ``stages`` (hashes of `dvc.lock`), ``snapshot``, ``oracle``, ``rounds``,
        ``hull`` and ``test_set`` of its round, ``packages``, and ``decisions``. Campaigns that were published before
        evidence was kept have ``None`` where nothing is known.

    Raises:
        LodestoneError: If there is no such model, or the store cannot be used.
    """
    if not store_exists(root):
        raise no_champion(root)
    with connect(root) as client:
        version = _version(client, name, root)
        own = client.get_run(str(version.run_id))
        parent = client.get_run(own.data.tags[_PARENT])
        kept = _evidence(client, parent)
        rounds = _rounds(client, parent, kept.get("hulls") or {})
        mine = rounds.get(str(own.info.run_name), {})
        return {
            "model": _model(version),
            "code": kept.get("code") or _code_by_tag(version),
            "parameters": dict(sorted(parent.data.params.items())),
            "stages": kept.get("stages"),
            "snapshot": kept.get("snapshot") or {"content_hash": version.tags.get("lodestone.snapshot")},
            "oracle": kept.get("oracle"),
            "rounds": rounds,
            "hull": mine.get("hull"),
            "test_set": mine.get("datasets", {}).get("test"),
            "packages": kept.get("packages"),
            "decisions": decisions_of(version),
        }


def _version(client: MlflowClient, name: str, root: Path) -> ModelVersion:
    wanted = name.removeprefix(_PREFIX).removeprefix(MODEL).lstrip("/@")
    every = {str(version.version): version for version in client.search_model_versions(f"name = '{MODEL}'")}
    full = [client.get_model_version(MODEL, number) for number in every]  # a search leaves out the aliases
    for version in full:
        if wanted == str(version.version) or wanted in version.aliases:
            return version
    there = ", ".join(sorted(every, key=int)) or "none"
    raise LodestoneError(
        f"{MODEL} has no version or alias {wanted!r} in {public_uri(root)}", f"versions that are there: {there}"
    )


def _model(version: ModelVersion) -> dict[str, Any]:
    tags = {name: version.tags.get(f"lodestone.{name}") for name in ("round", "digest", "labels", "validation_mae")}
    registered = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).isoformat(timespec="seconds")
    return {
        "name": MODEL,
        "version": int(version.version),
        "aliases": sorted(version.aliases),
        "registered": registered,
        **tags,
    }


def _evidence(client: MlflowClient, run: Run) -> dict[str, Any]:
    if EVIDENCE not in {entry.path for entry in client.list_artifacts(run.info.run_id)}:
        return {}
    with tempfile.TemporaryDirectory() as scratch:
        return dict(read_json(client.download_artifacts(run.info.run_id, EVIDENCE, scratch)))


def _code_by_tag(version: ModelVersion) -> dict[str, Any] | None:
    commit = version.tags.get(_COMMIT)
    if commit is None:
        return None
    return {"commit": commit.removesuffix("-dirty"), "clean": not commit.endswith("-dirty")}


def _rounds(client: MlflowClient, parent: Run, hulls: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found = client.search_runs([parent.info.experiment_id], f"tags.`{_PARENT}` = '{parent.info.run_id}'")
    rounds = {str(run.info.run_name): run for run in found if "/" not in str(run.info.run_name)}
    return {
        name: {
            "parameters": {key: value for key, value in run.data.params.items() if key != "round"},
            "datasets": _datasets(run),
            "hull": hulls.get(name),
        }
        for name, run in sorted(rounds.items(), key=lambda item: (len(item[0]), item[0]))
    }


def _datasets(run: Run) -> dict[str, dict[str, Any]]:
    inputs = run.inputs.dataset_inputs if run.inputs else []
    return {
        one.dataset.name.removesuffix(" crystals"): {
            "n": json.loads(one.dataset.profile or "{}").get("num_rows"),
            "digest": one.dataset.digest,
        }
        for one in inputs
    }
