"""Configuration: `params.yaml` as frozen, validated dataclasses. Unknown keys are refused.

Settings that change no result (cores, cache folders) are environment variables and not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from lodestone.config.registry import ORACLES
from lodestone.config.rounds import RoundParams, check_chain
from lodestone.config.sections import (
    DiscoveryParams,
    EnsembleParams,
    Name,
    OracleParams,
    Section,
    SnapshotParams,
    SplitParams,
    StructureParams,
    ValidateParams,
    ViewParams,
)

VIEWS = ("composition", "structure")


class Params(Section):
    """Everything in `params.yaml`."""

    seed: int = Field(ge=0)
    snapshot: SnapshotParams
    validate_: ValidateParams = Field(alias="validate")
    oracle: SerializeAsAny[OracleParams]
    split: SplitParams
    composition: ViewParams
    structure: StructureParams
    ensemble: EnsembleParams
    discovery: DiscoveryParams
    views: tuple[Literal["composition", "structure"], ...]
    rounds: dict[Name, RoundParams]

    @field_validator("oracle", mode="before")
    @classmethod
    def _by_the_oracle(cls, content: Any) -> Any:
        """By the model of the oracle that is named."""
        return ORACLES.settings(content["name"], content) if _names_one(content) else content

    @model_validator(mode="after")
    def _is_consistent(self) -> Params:
        if sorted(self.views) != sorted(VIEWS):
            raise ValueError("views must list composition and structure, each once")
        check_chain(self.rounds)
        return self

    def view(self, name: str) -> ViewParams:
        """Parameters of a view by name."""
        views: dict[str, ViewParams] = {"composition": self.composition, "structure": self.structure}
        return views[name]


def _names_one(content: Any) -> bool:
    """Whether a section says which of a registry it means; else pydantic says what is missing."""
    return isinstance(content, Mapping) and isinstance(content.get("name"), str)
