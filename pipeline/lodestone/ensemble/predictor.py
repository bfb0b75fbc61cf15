"""From the members of both views to predictions with errors that can be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lodestone.ensemble.calibration import Calibration
from lodestone.ensemble.strategies import STRATEGIES, Average
from lodestone.errors import LodestoneError
from lodestone.models.weights import read_versioned
from lodestone.schemas import GEOMETRIES
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
        novelty: Why each crystal is out of distribution, reasons joined by commas; empty if it is not.
        calibration: What the errors look like in units of ``std``.
    """

    mean: np.ndarray
    std: np.ndarray
    composition: np.ndarray
    structure: np.ndarray
    spread: np.ndarray
    weight_structure: np.ndarray
    novelty: Sequence[str]
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
                "out_of_distribution": list(self.novelty),
            },
            schema_overrides={"out_of_distribution": pl.String},
        )

    def of(self, rows: np.ndarray) -> Prediction:
        """The predictions of some crystals, chosen by a mask of shape ``(n,)``."""
        names = ("mean", "std", "composition", "structure", "spread", "weight_structure")
        novelty = [told for told, chosen in zip(self.novelty, rows, strict=True) if chosen]
        return replace(self, **{name: getattr(self, name)[rows] for name in names}, novelty=novelty)


@dataclass(frozen=True)
class Combination:
    """How the views are combined.

    Attributes:
        strategy: A name in :data:`lodestone.ensemble.strategies.STRATEGIES`.
        parameters: What was fitted for it.
    """

    strategy: str
    parameters: Mapping[str, float]

    @classmethod
    def fit(cls, strategy: str, composition: np.ndarray, structure: np.ndarray, true: np.ndarray) -> Combination:
        """Fit a strategy to members of both views, shapes ``(m, n)``, and labels, shape ``(n,)``."""
        return cls(strategy, STRATEGIES[strategy].fit(composition, structure, true))

    def combine(self, composition: np.ndarray, structure: np.ndarray) -> Average:
        """Combine members of both views, shapes ``(m, n)``."""
        return STRATEGIES[self.strategy].combine(composition, structure, **self.parameters)


@dataclass(frozen=True)
class Rule:
    """From members to predictions."""

    combination: Combination
    calibration: Calibration

    def predict(self, composition: np.ndarray, structure: np.ndarray, novelty: Sequence[str]) -> Prediction:
        """Predictions of crystals from members of both views, shapes ``(m, n)``, and their novelty."""
        average = self.combination.combine(composition, structure)
        std = self.calibration.std(average.spread, novelty)
        means = composition.mean(axis=0), structure.mean(axis=0)
        of_members = average.spread, average.weight_structure
        return Prediction(average.mean, std, *means, *of_members, novelty, self.calibration)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        combination = {"strategy": self.combination.strategy, "parameters": dict(self.combination.parameters)}
        return {"combination": combination, "calibration": self.calibration.as_dict()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Rule:
        """What :meth:`as_dict` gave."""
        combination = Combination(**content["combination"])
        STRATEGIES[combination.strategy]
        return cls(combination, Calibration.from_dict(content["calibration"]))


def save_rules(rules: Mapping[str, Rule], path: Path) -> None:
    """Write ``ensemble.json``: the rule of each geometry."""
    content = {geometry: rule.as_dict() for geometry, rule in rules.items()}
    write_json({"format_version": FORMAT_VERSION, **content}, path)


def load_rules(path: Path) -> dict[str, Rule]:
    """Read what :func:`save_rules` wrote.

    Raises:
        LodestoneError: If the file is missing, damaged or of another version.
    """
    content = read_versioned(path, FORMAT_VERSION)
    try:
        return {geometry: Rule.from_dict(content[geometry]) for geometry in GEOMETRIES}
    except (KeyError, TypeError) as error:
        raise LodestoneError(f"{path} is damaged: {error}", "make it again: `dvc repro`") from error
