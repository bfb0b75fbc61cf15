"""From the members of all views to predictions with calibrated errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lodestone.ensemble.calibration import Calibration
from lodestone.ensemble.strategies import Aggregate, Members, Parameters, strategy
from lodestone.errors import LodestoneError
from lodestone.models.weights import read_versioned
from lodestone.schemas import INPUT_STRUCTURES, view_column
from lodestone.tables.files import write_json

FORMAT_VERSION = 4
FORMULA = "formula"  # stands beside the input structures where views that see no atoms have a calibration of their own


@dataclass(frozen=True)
class Prediction:
    """Formation energies of ``n`` crystals, arrays of shape ``(n,)``, eV/atom.

    Attributes:
        mean: The views combined.
        std: Calibrated size of the error.
        views: Mean of the members of each view.
        spread: Of the members, not calibrated.
        weights: Share of each view in the mean, 0 to 1.
        out_of_distribution: Why each crystal is out of distribution, reasons joined by commas; empty if it is not.
        calibration: What the errors look like in units of ``std``.
    """

    mean: np.ndarray
    std: np.ndarray
    views: Mapping[str, np.ndarray]
    spread: np.ndarray
    weights: Mapping[str, np.ndarray]
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
                **{view_column(view): mean for view, mean in self.views.items()},
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
        return replace(
            self,
            mean=self.mean[rows],
            std=self.std[rows],
            views={view: values[rows] for view, values in self.views.items()},
            spread=self.spread[rows],
            weights={view: values[rows] for view, values in self.weights.items()},
            out_of_distribution=[
                reasons for reasons, chosen in zip(self.out_of_distribution, rows, strict=True) if chosen
            ],
        )


@dataclass(frozen=True)
class Aggregation:
    """How the views are combined.

    Attributes:
        strategy: A name in :data:`lodestone.config.registry.AGGREGATIONS`, or that of a view.
        views: The views, in the order in which `params.yaml` lists them.
        parameters: Its fitted parameters.
    """

    strategy: str
    views: tuple[str, ...]
    parameters: Parameters

    @classmethod
    def fit(cls, name: str, members: Members, true: np.ndarray) -> Aggregation:
        """Fit a strategy to members of each view, shapes ``(m, n)``, and labels, shape ``(n,)``."""
        return cls(strategy=name, views=tuple(members), parameters=strategy(name, members).fit(members, true))

    def aggregate(self, members: Members) -> Aggregate:
        """Combine members of each view, shapes ``(m, n)``."""
        ordered = {view: members[view] for view in self.views}
        return strategy(self.strategy, self.views).aggregate(ordered, self.parameters)


@dataclass(frozen=True)
class EnsemblePredictor:
    """From members to predictions."""

    aggregation: Aggregation
    calibration: Calibration

    def predict(self, members: Members, out_of_distribution: Sequence[str]) -> Prediction:
        """Predictions from members of each view, shapes ``(m, n)``, and the reasons of being out of distribution."""
        average = self.aggregation.aggregate(members)
        return Prediction(
            mean=average.mean,
            std=self.calibration.std(average.spread, out_of_distribution),
            views={view: members[view].mean(axis=0) for view in self.aggregation.views},
            spread=average.spread,
            weights=average.weights,
            out_of_distribution=out_of_distribution,
            calibration=self.calibration,
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        combined = self.aggregation
        aggregation = {
            "strategy": combined.strategy,
            "views": list(combined.views),
            "parameters": dict(combined.parameters),
        }
        return {"aggregation": aggregation, "calibration": self.calibration.as_dict()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> EnsemblePredictor:
        """The inverse of :meth:`as_dict`."""
        aggregation = Aggregation(**content["aggregation"] | {"views": tuple(content["aggregation"]["views"])})
        strategy(aggregation.strategy, aggregation.views)
        return cls(aggregation, Calibration.from_dict(content["calibration"]))


def save_predictors(predictors: Mapping[str, EnsemblePredictor], path: Path) -> None:
    """Write ``ensemble.json``: the predictor for each input structure, and for formulas."""
    content = {input_structure: predictor.as_dict() for input_structure, predictor in predictors.items()}
    write_json({"format_version": FORMAT_VERSION, **content}, path)


def load_predictors(path: Path) -> dict[str, EnsemblePredictor]:
    """Read what :func:`save_predictors` wrote.

    Raises:
        LodestoneError: If the file is missing, damaged or of another version.
    """
    content = read_versioned(path, FORMAT_VERSION)
    try:
        return {
            name: EnsemblePredictor.from_dict(content[name])
            for name in (*INPUT_STRUCTURES, *([FORMULA] if FORMULA in content else []))
        }
    except (KeyError, TypeError, ValueError) as error:
        raise LodestoneError(f"{path} is damaged: {error}", "make it again: `dvc repro`") from error
