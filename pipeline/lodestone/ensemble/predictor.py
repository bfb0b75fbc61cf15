"""From the members of both views to predictions with errors that can be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lodestone.ensemble.calibration import Calibration
from lodestone.ensemble.strategies import STRATEGIES, Aggregate
from lodestone.errors import LodestoneError
from lodestone.models.weights import read_versioned
from lodestone.schemas import INPUT_STRUCTURES
from lodestone.tables.files import write_json

FORMAT_VERSION = 3


@dataclass(frozen=True)
class Prediction:
    """Formation energies of ``n`` crystals, arrays of shape ``(n,)``, eV/atom.

    Attributes:
        mean: The views combined.
        std: Calibrated size of the error.
        composition: Mean of the composition view.
        structure: Mean of the structure view.
        spread: Of the members, not calibrated.
        weight_structure: Share of the structure view in the mean, 0 to 1.
        out_of_distribution: Why each crystal is out of distribution, reasons joined by commas; empty if it is not.
        calibration: What the errors look like in units of ``std``.
    """

    mean: np.ndarray
    std: np.ndarray
    composition: np.ndarray
    structure: np.ndarray
    spread: np.ndarray
    weight_structure: np.ndarray
    out_of_distribution: Sequence[str]
    calibration: Calibration

    @property
    def lower(self) -> np.ndarray:
        """Lower ends of the 90 % intervals, shape ``(n,)``, eV/atom."""
        return self.calibration.interval(self.mean, self.std)[0]

    @property
    def upper(self) -> np.ndarray:
        """Upper ends of the 90 % intervals, shape ``(n,)``, eV/atom."""
        return self.calibration.interval(self.mean, self.std)[1]

    def probability_below(self, energy: np.ndarray) -> np.ndarray:
        """P(formation energy <= energy) of each crystal, shape ``(n,)``."""
        return self.calibration.probability_below(energy, self.mean, self.std)

    def columns(self) -> pl.DataFrame:
        """The columns that every table of predictions has, one row per crystal."""
        name = "formation_energy_per_atom"
        return pl.DataFrame(
            {
                f"{name}_pred": self.mean,
                f"{name}_pred_composition": self.composition,
                f"{name}_pred_structure": self.structure,
                f"{name}_epistemic_std": self.spread,
                f"{name}_std": self.std,
                f"{name}_lower": self.lower,
                f"{name}_upper": self.upper,
                "out_of_distribution": list(self.out_of_distribution),
            },
            schema_overrides={"out_of_distribution": pl.String},
        )

    def of(self, rows: np.ndarray) -> Prediction:
        """The predictions of some crystals, chosen by a mask of shape ``(n,)``."""
        names = ("mean", "std", "composition", "structure", "spread", "weight_structure")
        out_of_distribution = [told for told, chosen in zip(self.out_of_distribution, rows, strict=True) if chosen]
        return replace(
            self, **{name: getattr(self, name)[rows] for name in names}, out_of_distribution=out_of_distribution
        )


@dataclass(frozen=True)
class Aggregation:
    """How the views are combined.

    Attributes:
        strategy: A name in :data:`lodestone.ensemble.strategies.STRATEGIES`.
        parameters: What was fitted for it.
    """

    strategy: str
    parameters: Mapping[str, float]

    @classmethod
    def fit(cls, strategy: str, composition: np.ndarray, structure: np.ndarray, true: np.ndarray) -> Aggregation:
        """Fit a strategy to members of both views, shapes ``(m, n)``, and labels, shape ``(n,)``."""
        return cls(strategy, STRATEGIES[strategy].fit(composition, structure, true))

    def aggregate(self, composition: np.ndarray, structure: np.ndarray) -> Aggregate:
        """Combine members of both views, shapes ``(m, n)``."""
        return STRATEGIES[self.strategy].aggregate(composition, structure, **self.parameters)


@dataclass(frozen=True)
class EnsemblePredictor:
    """From members to predictions."""

    aggregation: Aggregation
    calibration: Calibration

    def predict(self, composition: np.ndarray, structure: np.ndarray, out_of_distribution: Sequence[str]) -> Prediction:
        """Predictions from members of both views, shapes ``(m, n)``, and the reasons of being out of distribution."""
        average = self.aggregation.aggregate(composition, structure)
        std = self.calibration.std(average.spread, out_of_distribution)
        means = composition.mean(axis=0), structure.mean(axis=0)
        of_members = average.spread, average.weight_structure
        return Prediction(average.mean, std, *means, *of_members, out_of_distribution, self.calibration)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        aggregation = {"strategy": self.aggregation.strategy, "parameters": dict(self.aggregation.parameters)}
        return {"aggregation": aggregation, "calibration": self.calibration.as_dict()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> EnsemblePredictor:
        """What :meth:`as_dict` gave."""
        aggregation = Aggregation(**content["aggregation"])
        STRATEGIES[aggregation.strategy]
        return cls(aggregation, Calibration.from_dict(content["calibration"]))


def save_predictors(predictors: Mapping[str, EnsemblePredictor], path: Path) -> None:
    """Write ``ensemble.json``: the rule of each geometry."""
    content = {input_structure: rule.as_dict() for input_structure, rule in predictors.items()}
    write_json({"format_version": FORMAT_VERSION, **content}, path)


def load_predictors(path: Path) -> dict[str, EnsemblePredictor]:
    """Read what :func:`save_rules` wrote.

    Raises:
        LodestoneError: If the file is missing, damaged or of another version.
    """
    content = read_versioned(path, FORMAT_VERSION)
    try:
        return {
            input_structure: EnsemblePredictor.from_dict(content[input_structure])
            for input_structure in INPUT_STRUCTURES
        }
    except (KeyError, TypeError) as error:
        raise LodestoneError(f"{path} is damaged: {error}", "make it again: `dvc repro`") from error
