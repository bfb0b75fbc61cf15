"""Whether the uncertainty can be believed, as figures. Pure: scores in, plotly figure out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.report.markup import percent
from pipeline.report.theme import BELOW, MUTED, ROUND_COLOURS, figure, say_empty, title

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up")
_LOOK = {"margin": {"l": 60, "r": 16, "t": 60, "b": 92}, "legend": BELOW | {"y": -0.17}}


def coverage(scores: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Observed against expected coverage of central intervals; below the diagonal errors are larger than promised.

    Args:
        scores: By name of the set of crystals, what :func:`pipeline.learning.reliability.uncertainty_scores` gives.
    """
    axes = {"xaxis": _share("expected coverage"), "yaxis": _share("observed coverage")}
    told = "share of labels within the predicted interval"
    drawn = _diagonal(figure(400, title=title("Coverage of intervals", told), **axes, **_LOOK))
    shown = {name: score for name, score in scores.items() if score["observed"]}
    for index, (name, score) in enumerate(shown.items()):
        inside = percent(score["coverage"]["rate"])
        drawn.add_scatter(
            x=[0, *score["expected"], 1],
            y=[0, *score["observed"], 1],
            name=f"{name}: {inside} of n = {score['coverage']['n']:,} within 90 %",
            showlegend=True,
            mode="lines+markers",
            line={"color": ROUND_COLOURS[index % len(ROUND_COLOURS)], "width": 2},
            marker={"size": 6, "symbol": _SYMBOLS[index % len(_SYMBOLS)]},
            hovertemplate="expected %{x:.0%}<br>observed %{y:.1%}<extra>" + name + "</extra>",
        )
    return drawn if shown else say_empty(drawn, "nothing was measured")


def stability(scores: Mapping[str, Mapping[str, Any]]) -> Figure:
    """How often crystals are stable against how often they were said to be, with 95 % intervals.

    Args:
        scores: By name of the set of crystals, what :func:`pipeline.learning.reliability.probability_scores` gives.
    """
    axes = {"xaxis": _share("mean P(stable)"), "yaxis": _share("share that is stable")}
    told = "crystals in ten bins of predicted probability"
    drawn = _diagonal(figure(400, title=title("Reliability of P(stable)", told), **axes, **_LOOK))
    shown = {name: score for name, score in scores.items() if score["bins"]}
    for index, (name, score) in enumerate(shown.items()):
        rows, colour = score["bins"], ROUND_COLOURS[index % len(ROUND_COLOURS)]
        drawn.add_scatter(
            x=[row["claimed"] for row in rows],
            y=[row["rate"] for row in rows],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [row["high"] - row["rate"] for row in rows],
                "arrayminus": [row["rate"] - row["low"] for row in rows],
                "color": colour,
                "thickness": 1.2,
            },
            text=[f"{row['hits']} of {row['n']}" for row in rows],
            name=f"{name}: calibration error {percent(score['calibration_error'])}, Brier {score['brier']:.3f}",
            showlegend=True,
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={"size": 7, "symbol": _SYMBOLS[index % len(_SYMBOLS)]},
            hovertemplate="P(stable) %{x:.0%}<br>stable %{y:.0%} (%{text})<extra>" + name + "</extra>",
        )
    return drawn if shown else say_empty(drawn, "nothing was measured")


def _share(name: str) -> dict[str, object]:
    return {"title": name, "tickformat": ".0%", "range": [-0.02, 1.02], "showgrid": True}


def _diagonal(drawn: Figure) -> Figure:
    line = {"color": MUTED, "width": 1, "dash": "dash"}
    return drawn.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=line, hoverinfo="skip", showlegend=False)
