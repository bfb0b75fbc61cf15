"""The section `promotion` of `params.yaml`: when a candidate takes the place of the champion."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from lodestone.config.sections import Count, Fraction, Section

Loss = Annotated[float, Field(ge=0)]


class PromotionParams(Section):
    """When a newly published ensemble becomes the champion: it must be better beyond noise, and in nothing worse."""

    confidence: float = Field(
        0.99, ge=0.5, lt=1, description="share of the resampled test sets on which the error must be smaller"
    )
    resamples: int = Field(2000, ge=200, description="test sets drawn by chemical system, with replacement")
    min_gain: Loss = Field(0.0, description="eV/atom by which the error must at least be smaller, at that confidence")
    max_unrelaxed_loss: Loss = Field(
        0.01, description="eV/atom by which the error on unrelaxed structures may seem larger, within noise"
    )
    max_f1_loss: Loss = Field(0.05, description="by which the F1 of stability may seem smaller, within noise")
    coverage: tuple[Fraction, Fraction] = Field(
        (0.85, 0.95), description="range that the coverage of the 90 % intervals must not leave beyond noise"
    )
    min_systems: Count = Field(30, description="fewest chemical systems of test crystals that both have predicted")

    @model_validator(mode="after")
    def _range_ascends(self) -> PromotionParams:
        if self.coverage[0] >= self.coverage[1]:
            raise ValueError("coverage: the lower bound comes first")
        return self
