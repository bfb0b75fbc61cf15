"""Figures of how reliable the uncertainty is. Pure functions: scores in, plotly figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lodestone.report.markup import percent
from lodestone.report.theme import BELOW, MUTED, ROUND_COLORS, annotate_empty, figure, title

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up")
_LOOK = {"margin": {"l": 60, "r": 16, "t": 60, "b": 92}, "legend": BELOW | {"y": -0.17}}


def coverage(scores: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Observed against expected coverage of central intervals; below the diagonal, errors are larger than predicted.

    Args:
        scores: Results of :func:`lodestone.ensemble.reliability.uncertainty_scores` by set of crystals.
    """
    lines = {
        name: {
            "x": [0, *score["expected"], 1],
            "y": [0, *score["observed"], 1],
            "name": f"{name}: {percent(score['coverage']['rate'])} of n = {score['coverage']['n']:,} within 90 %",
            "hovertemplate": "expected %{x:.0%}<br>observed %{y:.1%}<extra>" + name + "</extra>",
        }
        for name, score in scores.items()
        if score["observed"]
    }
    heading = title("Coverage of intervals", "share of labels within the predicted interval")
    return _against_diagonal(heading, "expected coverage", "observed coverage", lines)


def stability(scores: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Observed against predicted share of stable crystals, with 95 % intervals.

    Args:
        scores: Results of :func:`lodestone.ensemble.reliability.probability_scores` by set of crystals.
    """
    lines = {
        name: {
            "x": [row["claimed"] for row in score["bins"]],
            "y": [row["rate"] for row in score["bins"]],
            "error_y": _intervals(score["bins"]),
            "text": [f"{row['hits']} of {row['n']}" for row in score["bins"]],
            "name": f"{name}: calibration error {percent(score['calibration_error'])}, Brier {score['brier']:.3f}",
            "hovertemplate": "P(stable) %{x:.0%}<br>stable %{y:.0%} (%{text})<extra>" + name + "</extra>",
        }
        for name, score in scores.items()
        if score["bins"]
    }
    heading = title("Reliability of P(stable)", "crystals in ten bins of predicted probability")
    return _against_diagonal(heading, "mean P(stable)", "share that is stable", lines)


def _intervals(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [row["high"] - row["rate"] for row in rows],
        "arrayminus": [row["rate"] - row["low"] for row in rows],
        "thickness": 1.2,
    }


def _against_diagonal(heading: Mapping[str, Any], x: str, y: str, lines: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Observed against expected shares, one line per set of crystals; perfect calibration lies on the diagonal."""
    chart = figure(400, title=heading, xaxis=_share(x), yaxis=_share(y), **_LOOK)
    diagonal = {"color": MUTED, "width": 1, "dash": "dash"}
    chart.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=diagonal, hoverinfo="skip", showlegend=False)
    for index, line in enumerate(lines.values()):
        color, symbol = ROUND_COLORS[index % len(ROUND_COLORS)], _SYMBOLS[index % len(_SYMBOLS)]
        look = {"line": {"color": color, "width": 2}, "marker": {"size": 7, "symbol": symbol}}
        chart.add_scatter(mode="lines+markers", showlegend=True, **look, **line)
    return chart if lines else annotate_empty(chart, "nothing was measured")


def _share(name: str) -> dict[str, object]:
    return {"title": name, "tickformat": ".0%", "range": [-0.02, 1.02], "showgrid": True}
