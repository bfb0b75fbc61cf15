"""Shared look of all figures: the color-blind-safe palette of Okabe and Ito, thin axes, no chart junk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

FONT = 'Inter, "Helvetica Neue", "Segoe UI", Arial, sans-serif'
INK = "#1f2933"
MUTED = "#7b8794"
RULE = "#e4e7eb"

BLUE = "#0072B2"
ORANGE = "#E69F00"
GREEN = "#009E73"
VERMILION = "#D55E00"
SKY = "#56B4E9"
PURPLE = "#CC79A7"

ENSEMBLE_COLOR = BLUE
VIEW_COLORS = (ORANGE, GREEN, PURPLE, SKY, VERMILION)
VIEW_SYMBOLS = ("circle", "square", "diamond", "cross", "x")
CHOOSER_COLORS = {"model": BLUE, "random": MUTED}
DISCOVERY = VERMILION
ROUND_COLORS = (SKY, GREEN, ORANGE, PURPLE, BLUE, VERMILION)
# A legend under the axes; its y depends on the height of the figure.
BELOW = {"orientation": "h", "yanchor": "top", "x": 0.5, "xanchor": "center"}


def figure(height: int, **layout: Any) -> Figure:
    """An empty figure in the shared look.

    Args:
        height: Pixels.
        **layout: Passed to plotly's layout; overrides the defaults.
    """
    import plotly.graph_objects as go

    look: dict[str, Any] = {
        "template": "none",
        "height": height,
        "margin": {"l": 64, "r": 16, "t": 44, "b": 52},
        "font": {"family": FONT, "size": 13, "color": INK},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hoverlabel": {"bgcolor": "white", "bordercolor": RULE, "font": {"family": FONT, "size": 12, "color": INK}},
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "font": {"size": 12}},
        "hovermode": "closest",
    }
    axes = {"xaxis": _axis(layout.pop("xaxis", {})), "yaxis": _axis({"showgrid": True} | layout.pop("yaxis", {}))}
    return go.Figure(layout=look | layout | axes)


def title(text: str, below: str = "") -> dict[str, Any]:
    """A left-aligned title with a muted second line."""
    second = f'<br><span style="font-size:12px;color:{MUTED}">{below}</span>' if below else ""
    return {"text": f"<b>{text}</b>{second}", "x": 0, "xref": "paper", "xanchor": "left", "font": {"size": 14}}


def annotate_empty(chart: Figure, text: str) -> Figure:
    """Write into the middle of an empty figure why it shows nothing."""
    where = {"xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5, "showarrow": False}
    return chart.add_annotation(text=text, font={"size": 13, "color": MUTED}, bgcolor="white", **where)


def _axis(given: dict[str, Any]) -> dict[str, Any]:
    lines = {"showgrid": False, "gridcolor": RULE, "zeroline": False, "linecolor": "#cbd2d9", "showline": True}
    ticks = {"ticks": "outside", "ticklen": 4, "tickcolor": RULE, "tickfont": {"size": 12}}
    caption = {"text": given.get("title", ""), "standoff": 8, "font": {"size": 12, "color": MUTED}}
    return lines | ticks | given | {"title": caption}
