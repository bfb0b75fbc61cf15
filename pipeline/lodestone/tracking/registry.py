"""Registered ensembles: one model version per round, and the alias ``champion`` on the best."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lodestone.errors import LodestoneError
from lodestone.prediction.scale import Scale
from lodestone.tables.layout import RoundLayout
from lodestone.tracking.address import public_uri, store_exists
from lodestone.tracking.client import connect
from lodestone.tracking.records import RunRecord

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

MODEL = "lodestone-ensemble"
CHAMPION = "champion"
FOLDER = "model"  # of a run's artifacts


def champion(root: Path) -> dict[str, Any]:
    """The registered ensemble with the alias ``champion``.

    Raises:
        LodestoneError: If none is registered, its files are missing, or the store cannot be reached.
    """
    from mlflow.exceptions import MlflowException

    if not store_exists(root):
        raise _none(root)
    with connect(root) as client:
        try:
            version = client.get_model_version_by_alias(MODEL, CHAMPION)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise _none(root) from None
        if not is_stored(client, version.run_id):
            problem = f"the files of version {version.version} of {MODEL} are missing from {public_uri(root)}"
            raise LodestoneError(problem, "run `lodestone publish`, which writes them again")
        return {"model": f"models:/{MODEL}@{CHAMPION}", "version": int(version.version), **version.tags}


def is_stored(client: MlflowClient, run_id: str | None) -> bool:
    """Whether the model of a run is where the store says."""
    return run_id is not None and any(
        entry.path == f"{FOLDER}/MLmodel" for entry in client.list_artifacts(run_id, FOLDER)
    )


def register(client: MlflowClient, run_id: str, run: RunRecord, files: RoundLayout, tags: dict[str, str]) -> None:
    """Keep the state dicts and configs of a round as a pyfunc, and register it as a version of the model."""
    import mlflow.pyfunc
    from mlflow.exceptions import MlflowException
    from mlflow.models import ModelSignature
    from mlflow.types import DataType, ParamSchema, ParamSpec

    input_structure = ParamSchema(
        [ParamSpec("input_structure", DataType.string, "relaxed")]
    )  # without it MLflow drops the parameter
    with tempfile.TemporaryDirectory() as scratch:
        data, model = Path(scratch, "data"), Path(scratch, FOLDER)
        shutil.copytree(files.folder / "models", data / "models")
        shutil.copy(files.ensemble, RoundLayout(data).ensemble)
        shutil.copy(files.out_of_distribution, RoundLayout(data).out_of_distribution)
        Scale.read(files.folder).write(data)
        mlflow.pyfunc.save_model(
            str(model),
            loader_module="lodestone.tracking.pyfunc",
            data_path=str(data),
            signature=ModelSignature(params=input_structure),
            pip_requirements=["lodestone-materials"],
        )
        client.log_artifacts(run_id, str(model), FOLDER)
    try:
        client.get_registered_model(MODEL)
    except MlflowException:
        client.create_registered_model(MODEL, description="Networks of all views, combined as the campaign says")
    facts = {**tags, "lodestone.round": run.name, "lodestone.validation_mae": repr(run.validation_mae)}
    client.create_model_version(MODEL, source=f"runs:/{run_id}/{FOLDER}", run_id=run_id, tags=facts)


def choose_champion(client: MlflowClient, validation_set: str) -> None:
    """Set the alias on the version with the lowest error among those evaluated on the same crystals."""
    rivals = [
        version
        for version in client.search_model_versions(f"name = '{MODEL}'")
        if version.tags.get("lodestone.validation_set") == validation_set
    ]
    best: ModelVersion = min(rivals, key=lambda version: (_mae(version), int(version.version)))
    client.set_registered_model_alias(MODEL, CHAMPION, best.version)


def _none(root: Path) -> LodestoneError:
    return LodestoneError(
        f"no {CHAMPION} of {MODEL} is registered in {public_uri(root)}", "run `lodestone publish` first"
    )


def _mae(version: ModelVersion) -> float:
    return float(version.tags["lodestone.validation_mae"])
