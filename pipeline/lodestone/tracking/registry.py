"""Registered ensembles: one version per round, and the aliases ``candidate``, ``champion`` and ``previous``."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lodestone.errors import LodestoneError
from lodestone.tracking.address import public_uri, store_exists
from lodestone.tracking.client import connect
from lodestone.tracking.records import ModelRecord

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

MODEL = "lodestone-ensemble"
CANDIDATE, CHAMPION, PREVIOUS = "candidate", "champion", "previous"
_FOLDER = "model"  # of a run's artifacts, in versions of before MLflow 3
_LOGGED = "models:/"  # begins the source of a version
_DESCRIPTION = (
    "Networks of all views of a campaign of Lodestone, combined and calibrated. `champion` is the best by test, "
    "`candidate` the newest, `previous` the champion before; `lodestone decisions` says why."
)


def champion(root: Path) -> dict[str, Any]:
    """The registered ensemble with the alias ``champion``.

    Raises:
        LodestoneError: If none is registered, its files are missing, or the store cannot be reached.
    """
    if not store_exists(root):
        raise no_champion(root)
    with connect(root) as client:
        version = by_alias(client, CHAMPION)
        if version is None:
            raise no_champion(root)
        if not is_stored(client, version):
            problem = f"the files of version {version.version} of {MODEL} are missing from {public_uri(root)}"
            raise LodestoneError(problem, "run `lodestone publish`, which writes them again")
        tags = {key: value for key, value in version.tags.items() if len(value) <= 200}
        return {"model": f"models:/{MODEL}@{CHAMPION}", "version": int(version.version), **tags}


def no_champion(root: Path) -> LodestoneError:
    """The fault that nothing is registered."""
    return LodestoneError(
        f"no {CHAMPION} of {MODEL} is registered in {public_uri(root)}", "run `lodestone publish` first"
    )


def by_alias(client: MlflowClient, alias: str) -> ModelVersion | None:
    """The version with an alias, if any."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(MODEL, alias)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        return None  # neither the model nor the alias


def model_id_of(version: ModelVersion) -> str | None:
    """Id of the logged model behind a version; ``None`` for versions of before MLflow 3."""
    source = str(version.source or "")
    return source.removeprefix(_LOGGED) if source.startswith(_LOGGED) else None


def is_stored(client: MlflowClient, version: ModelVersion) -> bool:
    """Whether the files of a version are where the store says."""
    from mlflow.exceptions import MlflowException

    try:
        model_id = model_id_of(version)
        if model_id:
            return any(entry.path == "MLmodel" for entry in client.list_logged_model_artifacts(model_id))
        files = client.list_artifacts(version.run_id, _FOLDER) if version.run_id else []
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
    return any(entry.path == f"{_FOLDER}/MLmodel" for entry in files)


def versions_of(client: MlflowClient, run_ids: set[str]) -> list[ModelVersion]:
    """The registered versions that belong to some runs."""
    every = client.search_model_versions(f"name = '{MODEL}'")
    return [version for version in every if version.run_id in run_ids]


def log_model(client: MlflowClient, run_id: str, name: str, record: ModelRecord, tags: dict[str, str]) -> str:
    """Keep the ensemble of a round as a logged model of its run.

    Returns:
        The id of the logged model.
    """
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    from lodestone.tracking.model_files import save

    experiment = client.get_run(run_id).info.experiment_id
    logged = client.create_logged_model(
        experiment, name=f"ensemble-{name}", source_run_id=run_id, tags=tags, model_type="ensemble"
    )
    model_id = str(logged.model_id)
    model = Model(artifact_path=logged.artifact_location, model_uuid=model_id, run_id=run_id, model_id=model_id)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "model")
        save(record, folder, model)
        client.log_model_artifacts(model_id, str(folder))
    client.finalize_logged_model(model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    return model_id


def register(client: MlflowClient, model_id: str, name: str, record: ModelRecord, tags: dict[str, str]) -> None:
    """Register the logged model of a round as a version."""
    from mlflow.exceptions import MlflowException

    try:
        client.get_registered_model(MODEL)
    except MlflowException:
        client.create_registered_model(MODEL, description=_DESCRIPTION)
    facts = {**tags, "lodestone.round": name, "lodestone.validation_mae": repr(record.validation_mae)}
    version = client.create_model_version(
        MODEL,
        source=f"{_LOGGED}{model_id}",
        run_id=client.get_logged_model(model_id).source_run_id,
        tags=facts,
        description=record.card,
        model_id=model_id,
    )
    # What MLflow's own functions set, so that the page of the logged model knows its version.
    registered = json.dumps([{"name": MODEL, "version": str(version.version)}])
    client.set_logged_model_tags(model_id, {"mlflow.modelVersions": registered, "mlflow.note.content": record.card})
