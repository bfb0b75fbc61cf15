"""What decides the result of pretraining, as frozen, validated dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, SerializeAsAny, ValidationError, field_validator

from lodestone.config.load import read_content
from lodestone.config.registry import VIEWS
from lodestone.config.sections import Count, EnsembleParams, Section, SplitParams, ValidateParams, ViewParams
from lodestone.errors import LodestoneError

DEFAULT_SETTINGS = Path(__file__).with_name("settings.yaml")


class DataSettings(Section):
    """What the table is that is learned from; all of it goes into the model card."""

    name: str = Field(min_length=1, description="name and version of the data")
    label_method: str = Field(min_length=1, description="what made the energies, e.g. dft-pbe")
    correction_scheme: str = Field(min_length=1, description="correction scheme of the energies, e.g. MP-2019, or none")
    selection: str = Field("", description="which rows of the data the table holds, in words")
    functional: str = Field(description="functional and program, in words")
    license: str = Field(description="license of the data")
    attribution: str = Field(description="whom to name, and their paper")
    published: dict[str, str] = Field({}, description="columns of others' predictions, by the name of their model")


class PretrainingSettings(Section):
    """Everything in the settings file."""

    seed: int = Field(ge=0)
    data: DataSettings
    limit: Count | None = Field(None, description="learn from so many training crystals, drawn with the seed")
    validate_: ValidateParams = Field(alias="validate")
    split: SplitParams
    views: dict[str, SerializeAsAny[ViewParams]] = Field(min_length=1)
    ensemble: EnsembleParams

    @field_validator("views", mode="before")
    @classmethod
    def _by_their_models(cls, content: Any) -> Any:
        """Each view by the model of its parameters."""
        if not isinstance(content, Mapping):
            return content
        return {
            name: section if isinstance(section, ViewParams) else VIEWS.settings_model(name).model_validate(section)
            for name, section in content.items()
        }


def load_settings(path: Path = DEFAULT_SETTINGS) -> PretrainingSettings:
    """Read and check a settings file.

    Raises:
        LodestoneError: Names the file and the key.
    """
    content = read_content(path)
    try:
        return PretrainingSettings.model_validate(content)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(map(str, fault["loc"])) or "file"
        remedy = f"correct this key; {DEFAULT_SETTINGS.name} of the package has all of them"
        raise LodestoneError(f"{path}: {key}: {fault['msg']}", remedy) from error
