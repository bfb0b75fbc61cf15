"""What is drawn of one find: its hull, its powder pattern, its atoms."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lodestone.report.hull_figures import binary_figure, simplex_figure
from lodestone.report.hulls import SystemHull
from lodestone.report.powder import RANGE
from lodestone.report.theme import BLUE, figure, title

if TYPE_CHECKING:
    from plotly.graph_objects import Figure
    from pymatgen.core import Structure

DRAWN = (2, 3, 4)  # elements of a system that can be drawn in a plane
_ON_A_FACE = 1e-3  # of a cell edge


def hull_figure(before: SystemHull, after: SystemHull) -> Figure:
    """The system of a find: energies over composition for two elements, phases and tie lines for three and four."""
    if len(after.elements) == 2:
        return binary_figure(before, after)
    return simplex_figure(after, "–".join(after.elements), before)


def powder_figure(pattern: pl.DataFrame) -> Figure:
    """Sticks of a powder pattern.

    Args:
        pattern: See :func:`lodestone.report.powder.powder_pattern`.
    """
    angles = {"title": "2θ (degrees), Cu Kα", "range": list(RANGE)}
    intensity = {"title": "intensity", "range": [0, 108]}
    chart = figure(260, title=title("Powder pattern, calculated"), xaxis=angles, yaxis=intensity, showlegend=False)
    strong = pattern.filter(pl.col("intensity") >= 0.5)  # weaker ones cannot be seen
    return chart.add_bar(
        x=strong["two_theta_deg"].round(2).to_list(),
        y=strong["intensity"].round(1).to_list(),
        width=0.25,
        text=strong["hkl"].str.split("; ").list.first().to_list(),
        textposition="none",
        hovertemplate="%{x:.2f}°, %{text}<extra></extra>",
        marker={"color": BLUE},
    )


def drawn_atoms(structure: Structure) -> str:
    """The atoms of a cell as XYZ; those on a face, an edge or a corner are drawn on the opposite ones, too.

    Args:
        structure: Its cell.
    """
    rows = []
    for site in structure:
        inside = np.mod(np.round(site.frac_coords, 6), 1.0)
        inside[inside > 1 - _ON_A_FACE] = 0.0
        images = product(*((0, 1) if edge < _ON_A_FACE else (0,) for edge in inside))
        places = [structure.lattice.get_cartesian_coords(inside + np.array(image)) for image in images]
        rows += [f"{site.specie.symbol} {x:.3f} {y:.3f} {z:.3f}" for x, y, z in places]
    return "\n".join([str(len(rows)), "", *rows])
