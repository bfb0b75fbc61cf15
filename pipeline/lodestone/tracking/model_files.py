"""What a registered model is made of: weights, hull, test predictions, card, example, requirements and its own code."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

import lodestone
from lodestone.prediction.scale import Scale
from lodestone.promotion.frozen_test import PredictedTestSet, predicted_test_set
from lodestone.schemas import Crystals, Predictions, view_column
from lodestone.tables.files import read_table, write_table
from lodestone.tables.layout import RoundLayout
from lodestone.tracking.model_input import ARRAYS, HULL, STRUCTURE
from lodestone.tracking.records import ModelRecord

if TYPE_CHECKING:
    from mlflow.models import Model, ModelSignature

LOADER = "lodestone.tracking.pyfunc"
DATA = "ensemble"  # folder below `data/` of a model
TEST_PREDICTIONS = "test_predictions.parquet"
CARD = "README.md"
# Rooms and modules that predicting takes. The model carries them, so that it needs no installed Lodestone, and that
# later versions of Lodestone cannot change what it says.
_CODE = (
    *("__init__.py", "errors.py", "config", "crystals", "ensemble", "models", "runtime", "schemas", "stability"),
    *("substitution", "tables", "training"),
    *(f"snapshot/{name}.py" for name in ("__init__", "structures")),
    *(f"snapshot/files/{name}.py" for name in ("__init__", "cif", "objects", "structure_files")),
    *(f"tracking/{name}.py" for name in ("__init__", "model_input", "pyfunc")),
)
# Packages that this code imports.
PACKAGES = (
    *("ase", "mlflow", "moyopy", "numpy", "pandas", "pandera", "polars", "pydantic", "pymatgen", "pyyaml"),
    *("safetensors", "scipy", "smact", "torch", "torch-geometric", "tqdm", "vesin"),
)
_SODIUM_CHLORIDE = """Na1 Cl1
1.0
0.00 2.82 2.82
2.82 0.00 2.82
2.82 2.82 0.00
Na Cl
1 1
direct
0.0 0.0 0.0
0.5 0.5 0.5
"""


def save(record: ModelRecord, folder: Path, model: Model) -> None:
    """Write the ensemble of a round as an MLflow model.

    Args:
        record: The ensemble.
        folder: Where to; must not exist.
        model: Names the logged model that it belongs to.
    """
    import mlflow.pyfunc

    scratch = folder.with_name(f"{folder.name}_parts")
    data = scratch / DATA
    _copy_data(record, data)
    _copy_code(scratch / "lodestone")
    mlflow.pyfunc.save_model(
        str(folder),
        loader_module=LOADER,
        data_path=str(data),
        code_paths=[str(scratch / "lodestone")],
        signature=_signature(record.views),
        input_example=_example(),
        pip_requirements=requirements(),
        mlflow_model=model,
    )
    (folder / CARD).write_text(record.card, encoding="utf-8")
    shutil.rmtree(scratch)


def requirements() -> list[str]:
    """The packages that a registered model needs, in the versions of this environment, as an index has them."""
    return [f"{name}=={version(name).partition('+')[0]}" for name in PACKAGES]


def _copy_data(record: ModelRecord, data: Path) -> None:
    files = record.files
    shutil.copytree(files.folder / "models", data / "models")
    shutil.copy(files.ensemble, RoundLayout(data).ensemble)
    shutil.copy(files.out_of_distribution, RoundLayout(data).out_of_distribution)
    Scale.read(files.folder).write(data)
    crystals = read_table(files.crystals, Crystals)
    phases = crystals.filter(pl.col("energy_above_hull") <= 0).sort("material_id")
    columns = ["material_id", "formula_pretty", "atomic_numbers", "formation_energy_per_atom"]
    write_table(phases.select(columns), data / HULL)
    tested = predicted_test_set(read_table(files.predictions, Predictions), crystals)
    write_table(tested, data / TEST_PREDICTIONS, PredictedTestSet)


def _copy_code(target: Path) -> None:
    source = Path(lodestone.__file__).parent
    for name in _CODE:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
        else:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, target / name)


def _signature(views: Iterable[str]) -> ModelSignature:
    """Columns of requests and answers; a request names either the structure or the three arrays."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import AnyType

    energy = "formation_energy_per_atom"
    numbers = [f"{energy}_pred", *map(view_column, views)]
    numbers += [f"{energy}_{name}" for name in ("epistemic_std", "std", "lower", "upper")]
    distances = [f"energy_above_hull_{name}" for name in ("pred", "lower", "upper")]
    inputs: list[Any] = [ColSpec(AnyType(), name, required=False) for name in (STRUCTURE, *ARRAYS)]
    answers: list[Any] = [ColSpec(DataType.double, name) for name in numbers]
    answers.append(ColSpec(DataType.string, "out_of_distribution"))
    answers += [ColSpec(DataType.double, name) for name in (*distances, "stability_probability")]
    choice = ParamSpec("input_structure", DataType.string, "relaxed")  # without it MLflow drops the parameter
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(answers), params=ParamSchema([choice]))


def _example() -> Any:
    import pandas as pd

    return pd.DataFrame({STRUCTURE: [_SODIUM_CHLORIDE]})
