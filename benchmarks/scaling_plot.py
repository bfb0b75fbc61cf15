"""Test error against training-set size on logarithmic axes, with power laws."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drawing import BOTH, COMPOSITION, STRUCTURE, panels, plain_logarithms, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLORS = {"composition": COMPOSITION, "structure": STRUCTURE, "both": BOTH}
_SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
_MAES = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5)


@dataclass(frozen=True)
class Curve:
    """Errors of one model.

    Attributes:
        name: For people.
        sizes: Training crystals, shape ``(k,)``.
        maes: MAE and the ends of its 95 % interval, shape ``(k, 3)``, eV/atom.
    """

    name: str
    sizes: np.ndarray
    maes: np.ndarray

    def power_law(self) -> tuple[float, float]:
        """``(a, b)`` of MAE = a n^b, by least squares of the logarithms; not a number where there is one size."""
        if len(self.sizes) < 2:
            return float("nan"), float("nan")
        slope, intercept = np.polyfit(np.log(self.sizes), np.log(self.maes[:, 0]), 1)
        return float(np.exp(intercept)), float(slope)

    def power_law_text(self) -> str:
        """The power law, for people."""
        a, b = self.power_law()
        return f"{a:.2f} n^{b:.2f}" if np.isfinite(a) else ""


def write_plot(curves: dict[str, Curve], published: dict[str, float], path: Path) -> None:
    """Draw curves with their power laws, and published errors as lines across."""
    with panels(1, 7.2, 4.6) as (figure, (panel,)):
        for view, curve in curves.items():
            _draw(panel, curve, _COLORS[view])
        sizes = next(iter(curves.values())).sizes
        for name, mae in published.items():
            panel.axhline(mae, color="#57534e", linewidth=0.9, linestyle=":")
            panel.annotate(
                f"{name}, out of fold", (sizes[0], mae), xytext=(0, 2), textcoords="offset points", fontsize=8
            )
        lows = [*published.values(), *(curve.maes.min() for curve in curves.values())]
        top = max(curve.maes.max() for curve in curves.values())
        limits = {"xlim": (sizes[0] / 1.2, sizes[-1] * 1.2), "ylim": (min(lows) / 1.15, top * 1.1)}
        plain_logarithms(panel, _SIZES, _MAES, **limits)
        panel.set(xlabel="training crystals", ylabel="MAE on unseen chemical systems (eV/atom)")
        panel.legend(frameon=False, fontsize=8)
        save(figure, path)


def _draw(panel: Axes, curve: Curve, color: str) -> None:
    mae, low, high = curve.maes.T
    a, b = curve.power_law()
    label = f"{curve.name}: {curve.power_law_text()}" if np.isfinite(a) else curve.name
    panel.errorbar(
        curve.sizes, mae, [mae - low, high - mae], fmt="o", color=color, markersize=5, capsize=2, label=label
    )
    panel.plot(curve.sizes, a * curve.sizes.astype(float) ** b, color=color, linewidth=1.2)
