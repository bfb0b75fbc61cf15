"""Figures of convex hulls: energy over composition for two elements, phases and tie lines for three and four."""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from lodestone.report.hulls import SystemHull
from lodestone.report.theme import BELOW, BLUE, DISCOVERY, INK, RULE, figure, title

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_GREY = "#9aa5b1"
# Where the elements stand in the plane; the fourth behind the triangle, as a tetrahedron is drawn.
_CORNERS = {
    3: np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]]),
    4: np.array([[0.0, 0.12], [0.62, 0.0], [0.48, np.sqrt(3) / 2], [1.0, 0.3]]),
}


def binary_figure(before: SystemHull, after: SystemHull) -> Figure:
    """Formation energy over composition with the hull before and after the campaign."""
    first, second = after.elements
    lowest = min(after.energies.min(), -0.05)
    energy_axis = {"title": "formation energy (eV/atom)", "range": [1.15 * lowest, max(0.06, -0.35 * lowest)]}
    ends = {"tickvals": [0, 0.25, 0.5, 0.75, 1], "ticktext": [first, "0.25", "0.5", "0.75", second]}
    composition = {"title": f"fraction of {second}", "range": [-0.03, 1.03]} | ends
    chart = figure(
        400,
        title=title(f"{first}–{second}, before and after", f"{_n_stable(before)} → {_stable(after)}"),
        xaxis=composition,
        yaxis=energy_axis,
    )
    chart.update_layout(margin={"l": 60, "r": 12, "t": 52, "b": 84}, legend=BELOW | {"y": -0.2})
    _hull_line(chart, before, "hull before", _GREY, "dash")
    _hull_line(chart, after, "hull after", BLUE, "solid")
    for name, mask, marker in _groups(after):
        chart.add_scatter(
            x=after.fractions[mask, 1].tolist(),
            y=after.energies[mask].tolist(),
            text=_hover_texts(after, mask),
            hovertemplate="%{text}<extra></extra>",
            mode="markers+text" if name == "discovered" else "markers",
            texttemplate=[_subscripts(after.names[index]) for index in np.flatnonzero(mask)],
            textposition="bottom center",
            textfont={"size": 12, "color": DISCOVERY},
            marker=marker,
            name=name,
        )
    return chart


def simplex_figure(hull: SystemHull, heading: str, compared: SystemHull) -> Figure:
    """Stable phases and tie lines of three or four elements, seen from below the hull.

    Of four elements only the tie lines of discoveries are drawn, in the frame of a tetrahedron; all would hide them.

    Args:
        hull: What to draw.
        heading: Title.
        compared: The same system at another time; tie lines missing from it are drawn in blue.
    """
    hidden = {"visible": False, "range": [-0.2, 1.2]}
    frame = {"visible": False, "range": [-0.1, 0.97], "scaleanchor": "x"}
    margin = {"l": 4, "r": 4, "t": 52, "b": 56}
    chart = figure(400, title=title(heading, _stable(hull)), xaxis=hidden, yaxis=frame, margin=margin)
    chart.update_layout(legend=BELOW | {"y": -0.02})
    names = {
        frozenset((compared.ids[a] or compared.names[a], compared.ids[b] or compared.names[b]))
        for a, b in compared.edges
    }
    new = [frozenset((hull.ids[a] or hull.names[a], hull.ids[b] or hull.names[b])) not in names for a, b in hull.edges]
    drawn = [(edge, fresh) for edge, fresh in zip(hull.edges, new, strict=True) if _is_drawn(hull, edge)]
    if len(hull.elements) > 3:
        _tie_lines(chart, hull, list(combinations(range(len(hull.elements)), 2)), RULE)
    _tie_lines(chart, hull, [edge for edge, fresh in drawn if not fresh], _GREY)
    _tie_lines(chart, hull, [edge for edge, fresh in drawn if fresh], BLUE)
    _simplex_points(chart, hull, {*range(len(hull.elements)), *(corner for edge, _ in drawn for corner in edge)})
    return chart


def _is_drawn(hull: SystemHull, edge: tuple[int, int]) -> bool:
    return len(hull.elements) == 3 or bool(hull.discovered[list(edge)].any())


def _n_stable(hull: SystemHull) -> int:
    return int(hull.on_hull[len(hull.elements) :].sum())


def _stable(hull: SystemHull) -> str:
    return f"{_n_stable(hull)} stable compound{'' if _n_stable(hull) == 1 else 's'}"


def _groups(hull: SystemHull) -> list[tuple[str, np.ndarray, dict[str, object]]]:
    on, discovered = hull.on_hull, hull.discovered
    star = {"symbol": "star", "size": 13, "color": DISCOVERY, "line": {"width": 1, "color": "white"}}
    return [
        ("above the hull", ~on & ~discovered, {"size": 7, "color": "white", "line": {"width": 1.2, "color": _GREY}}),
        ("stable", on & ~discovered, {"size": 9, "color": INK}),
        ("discovered", discovered, star),
    ]


def _hull_line(chart: Figure, hull: SystemHull, name: str, color: str, dash: str) -> None:
    corners = np.flatnonzero(hull.on_hull)
    corners = corners[np.argsort(hull.fractions[corners, 1])]
    chart.add_scatter(
        x=hull.fractions[corners, 1].tolist(),
        y=hull.energies[corners].tolist(),
        mode="lines",
        line={"color": color, "width": 2, "dash": dash},
        hoverinfo="skip",
        name=name,
    )


def _tie_lines(chart: Figure, hull: SystemHull, edges: list[tuple[int, int]], color: str) -> None:
    corners = hull.fractions @ _CORNERS[len(hull.elements)]
    x: list[float | None] = []
    y: list[float | None] = []
    for edge in edges:
        x += [*corners[list(edge), 0].tolist(), None]
        y += [*corners[list(edge), 1].tolist(), None]
    line = {"color": color, "width": 1.5}
    chart.add_scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False)


def _simplex_points(chart: Figure, hull: SystemHull, named: Collection[int]) -> None:
    """All phases; of those on the hull, these bear their names."""
    where = hull.fractions @ _CORNERS[len(hull.elements)]
    for name, mask, marker in _groups(hull):
        names = [_subscripts(hull.names[row]) if row in named else "" for row in np.flatnonzero(mask)]
        chart.add_scatter(
            x=where[mask, 0].tolist(),
            y=where[mask, 1].tolist(),
            text=_hover_texts(hull, mask),
            hovertemplate="%{text}<extra></extra>",
            mode="markers+text" if name in {"discovered", "stable"} else "markers",
            texttemplate=names,
            textposition=[_beside(fractions) for fractions in hull.fractions[mask]],
            textfont={"size": 12, "color": DISCOVERY if name == "discovered" else INK},
            marker=marker,
            name=name,
        )


def _beside(fractions: np.ndarray) -> str:
    """Where to put the name of a phase: outside the triangle if the phase lies on its edge."""
    if fractions[2] == 1 or len(fractions) > 3:
        return "top center"
    if fractions[1] == 0 and fractions[2] > 0:
        return "middle left"
    return "middle right" if fractions[0] == 0 and fractions[2] > 0 else "bottom center"


def _hover_texts(hull: SystemHull, mask: np.ndarray) -> list[str]:
    rows = np.flatnonzero(mask)
    return [
        f"<b>{_subscripts(hull.names[row])}</b><br>{hull.energies[row]:.3f} eV/atom"
        + (f"<br>{hull.ids[row]}" if hull.ids[row] else "")
        for row in rows
    ]


def _subscripts(formula: str) -> str:
    from re import sub

    return sub(r"(\d+)", r"<sub>\1</sub>", formula)
