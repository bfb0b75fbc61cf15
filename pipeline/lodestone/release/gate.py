"""The accuracy gate: the figures of a finished campaign against bounds that follow from their spread over seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lodestone.errors import LodestoneError
from lodestone.tables.files import read_json
from lodestone.tables.layout import METRICS

BOUNDS_FILE = Path("docs/accuracy.json")


@dataclass(frozen=True)
class Verdict:
    """One figure and its bounds.

    Attributes:
        name: Name of the figure.
        value: Value in this campaign; ``None`` if it has no such figure.
        low: Smallest value allowed, or ``None``.
        high: Largest value allowed, or ``None``.
        basis: Mean and standard deviation, and the number of seeds.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    basis: str

    @property
    def holds(self) -> bool:
        """Whether the figure exists and is within its bounds."""
        if self.value is None:
            return False
        return (self.low is None or self.value >= self.low) and (self.high is None or self.value <= self.high)

    def __str__(self) -> str:
        value = "missing" if self.value is None else f"{self.value:.4f}"
        low, high = ("" if bound is None else f"{bound:.4f}" for bound in (self.low, self.high))
        outcome = "ok" if self.holds else "OUTSIDE"
        return f"{self.name:<28}{value:>10}  {low:>8} to {high:<8}  {self.basis:<34}{outcome}"


def figures(metrics: Path = METRICS) -> dict[str, float]:
    """The checked figures: errors and coverage of the last round, and hit rates over all rounds.

    Args:
        metrics: Folder with the metrics of the stages.

    Raises:
        LodestoneError: If the campaign is not finished.
    """
    campaign = read_json(metrics / "campaign.json")
    last = read_json(metrics / list(campaign["hit_rate"])[-1] / "ensemble.json")
    values = {f"test_mae_{name}": float(value) for name, value in campaign["test_mae"].items()}
    values["test_mae_unrelaxed"] = float(last["unrelaxed"]["test"]["ensemble"]["mae"])
    for name, scores in (("coverage_90", last), ("coverage_90_unrelaxed", last["unrelaxed"])):
        values[name] = float(scores["test"]["uncertainty"]["coverage"]["rate"])
    for chooser in ("model", "random"):
        hits, n = (sum(rates[chooser][key] for rates in campaign["hit_rate"].values()) for key in ("hits", "n"))
        if n:
            values[f"hit_rate_{chooser}"] = hits / n
    return values


def judge(values: Mapping[str, float], bounds: Mapping[str, Any]) -> list[Verdict]:
    """Compare figures with their bounds.

    Args:
        values: Figures by name.
        bounds: For each figure ``low`` and ``high`` (or null), and the ``mean``, ``std`` and ``n`` behind them.
    """
    return [
        Verdict(
            name,
            values.get(name),
            bound["low"],
            bound["high"],
            f"{bound['mean']:.4f} ± {bound['std']:.4f} over {bound['n']} seeds",
        )
        for name, bound in bounds.items()
    ]


def read_bounds(path: Path = BOUNDS_FILE) -> dict[str, Any]:
    """Bounds by figure, read from a file.

    Raises:
        LodestoneError: If the file is missing or holds no bounds.
    """
    content = read_json(path)
    bounds = content.get("figures") if isinstance(content, dict) else None
    if not isinstance(bounds, dict) or not bounds:
        raise LodestoneError(f"{path} holds no bounds", "write it with `python benchmarks/seeds.py`")
    return bounds
