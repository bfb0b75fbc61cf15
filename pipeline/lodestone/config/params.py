"""Configuration: `params.yaml` as frozen, validated dataclasses. Unknown keys are refused.

Settings that change no result (cores, cache folders) are environment variables and not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field, SerializeAsAny, create_model, field_validator, model_validator

from lodestone.config.discovery import DiscoveryParams
from lodestone.config.promotion import PromotionParams
from lodestone.config.registry import AGGREGATIONS, ORACLES, SOURCES, VIEWS
from lodestone.config.rounds import RoundParams, check_chain
from lodestone.config.sections import (
    EnsembleParams,
    LabelParams,
    Name,
    OpinionsParams,
    OracleParams,
    PhononsParams,
    Section,
    SnapshotParams,
    SplitParams,
    ValidateParams,
    ViewParams,
)

RESERVED = ("uncertainty", "n")  # stand beside the names of views in metrics


class Params(Section):
    """Everything in `params.yaml`: the fields below, and a section for each view, which bears the view's name."""

    model_config = ConfigDict(extra="allow")

    __pydantic_extra__: dict[str, SerializeAsAny[ViewParams]] = Field(init=False)
    seed: int = Field(ge=0)
    snapshot: SerializeAsAny[SnapshotParams]
    validate_: ValidateParams = Field(alias="validate")
    oracle: SerializeAsAny[OracleParams]
    label: LabelParams
    split: SplitParams
    ensemble: EnsembleParams
    discovery: DiscoveryParams
    opinions: OpinionsParams = OpinionsParams()
    phonons: PhononsParams = PhononsParams()
    promotion: PromotionParams = PromotionParams()
    warm_start: str = Field(
        "none",
        description="none, shipped (the ensemble of the package), or a folder that `lodestone pretrain` wrote: "
        "networks that the first round fine-tunes",
    )
    views: tuple[Name, ...] = Field(
        min_length=1, description="representations of a crystal, each with networks and a section of its own"
    )
    rounds: dict[Name, RoundParams]

    @field_validator("oracle", mode="before")
    @classmethod
    def _by_the_oracle(cls, content: Any) -> Any:
        """By the model of the oracle that is named."""
        return ORACLES.choice("name", content)

    @field_validator("snapshot", mode="before")
    @classmethod
    def _by_the_source(cls, content: Any) -> Any:
        """By the model of the source that is named. `dvc.yaml` has no default for the path that it watches."""
        if isinstance(content, Mapping) and "path" not in content:
            raise ValueError("path is missing: what DVC watches; reference/crystals.parquet where no file is read")
        return SOURCES.choice("source", content)

    @model_validator(mode="before")
    @classmethod
    def _by_the_views(cls, content: Any) -> Any:
        """Sections of views by the models of the views; what is called like none is an unknown parameter."""
        if not isinstance(content, Mapping):
            return content
        fields = {field.alias or name for name, field in cls.model_fields.items()}
        others = {name: section for name, section in content.items() if name not in fields}
        views: dict[str, Any] = {
            name: (SerializeAsAny[VIEWS.settings_model(name)], ...)  # type: ignore[misc]
            for name in others
            if isinstance(name, str) and name in VIEWS
        }
        checked = create_model("Views", __base__=Section, **views).model_validate(others)
        return {**content, **{name: getattr(checked, name) for name in views}}

    @model_validator(mode="after")
    def _is_consistent(self) -> Params:
        for name in self.views:
            if self.views.count(name) > 1:
                raise ValueError(f"views: {name!r} stands twice")
            if name not in self.__pydantic_extra__:
                raise ValueError(f"views: {name!r} has no section {name}")
            if name in RESERVED or name in AGGREGATIONS.names():
                raise ValueError(f"views: no view may be called {name!r}, which means something else")
        if self.ensemble.aggregation not in (*self.views, *AGGREGATIONS.names()):
            allowed = ", ".join([*AGGREGATIONS.names(), *self.views])
            raise ValueError(f"ensemble.aggregation: {self.ensemble.aggregation!r} is none of {allowed}")
        if self.label.scale not in self.oracle.scales:
            wanted = " or ".join(self.oracle.scales)
            raise ValueError(f"label.scale: {self.oracle.name} cannot label a snapshot anew; it needs scale: {wanted}")
        check_chain(self.rounds)
        return self

    def view(self, name: str) -> ViewParams:
        """Parameters of a view by name."""
        return self.__pydantic_extra__[name]
