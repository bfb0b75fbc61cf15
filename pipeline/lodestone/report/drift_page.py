"""The difference between two snapshots as an HTML page; see :mod:`lodestone.curation.drift`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lodestone.curation.drift import Drift
from lodestone.report import markup
from lodestone.report.drift_text import WARNING, counts
from lodestone.report.html import page, plot
from lodestone.report.theme import BELOW, BLUE, GREEN, VERMILION, annotate_empty, figure, title

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_ROWS = 200  # per table; --table writes the full list
_BARS = 20
_BINS = 60


def render(drift: Drift, old: str, new: str) -> str:
    """The page as HTML: it makes no requests, and equal snapshots give equal bytes.

    Args:
        drift: The difference.
        old: Name of the old snapshot.
        new: Name of the new one.
    """
    return page("drift.html.j2", _content(drift, old, new))


def energy_changes(drift: Drift) -> Figure:
    """Histogram of energy changes; the outermost bars include everything beyond the range."""
    changes = 1e3 * drift.crystals.filter(pl.col("energy_changed"))["energy_change"].drop_nulls().to_numpy()
    count = {"title": "crystals", "type": "log", "dtick": 1}
    heading = title(
        "Changes of energy", f"{len(changes):,} crystals, beyond {markup.milli(drift.tolerance, 1)} meV/atom"
    )
    chart = figure(
        360, title=heading, xaxis={"title": "new less old (meV/atom)"}, yaxis=count, showlegend=False, bargap=0
    )
    if len(changes) == 0:
        return annotate_empty(chart, "no energy changed")
    reach = max(float(np.quantile(np.abs(changes), 0.99)), 1e3 * drift.tolerance)
    numbers, edges = np.histogram(np.clip(changes, -reach, reach), bins=_BINS, range=(-reach, reach))
    chart.update_yaxes(
        range=[-0.3, float(np.log10(numbers.max())) + 0.1]
    )  # log10; a single crystal still shows as a bar
    middles = (edges[1:] + edges[:-1]) / 2
    hover = "%{x:.1f} meV/atom: %{y} crystals<extra></extra>"
    return chart.add_bar(
        x=np.round(middles, 6).tolist(), y=numbers.tolist(), marker={"color": BLUE}, hovertemplate=hover
    )


def flips_by_system(drift: Drift) -> Figure:
    """The chemical systems where the most crystals changed sides of the hull."""
    flips = pl.col("n_became_stable") + pl.col("n_became_unstable")
    most = drift.systems.filter(flips > 0).head(_BARS).reverse()
    room = {"l": 110, "r": 16, "t": 44, "b": 70}
    layout = {
        "title": title("Systems with most flips"),
        "margin": room,
        "barmode": "stack",
        "legend": BELOW | {"y": -0.12},
    }
    chart = figure(max(260, 120 + 22 * len(most)), xaxis={"title": "crystals", "tickformat": "d"}, **layout)
    chart.update_yaxes(showgrid=False, ticksuffix=" ")
    for column, name, color in (
        ("n_became_stable", "became stable", GREEN),
        ("n_became_unstable", "became unstable", VERMILION),
    ):
        hover = "%{y}: %{x} " + name + "<extra></extra>"
        x, y = most[column].to_list(), most["chemsys"].to_list()
        chart.add_bar(x=x, y=y, name=name, orientation="h", marker={"color": color}, hovertemplate=hover)
    return annotate_empty(chart, "no crystal changed sides of the hull") if most.is_empty() else chart


def _content(drift: Drift, old: str, new: str) -> dict[str, Any]:
    changed = drift.crystals.filter(pl.col("energy_changed"))
    flipped = drift.crystals.filter(pl.col("flip") != "none")
    figures = {"energies": energy_changes(drift), "systems": flips_by_system(drift)}
    return {
        "old": {"name": old, "n": drift.n_old, "kind": drift.kinds[0]},
        "new": {"name": new, "n": drift.n_new, "kind": drift.kinds[1]},
        "warning": WARNING if drift.mixed else "",
        "energy": drift.energy,
        "tolerance": markup.milli(drift.tolerance, 1),
        "n_stability": drift.n_stability,
        "counts": counts(drift),
        "n_changed": len(changed),
        "n_flipped": len(flipped),
        "n_systems": len(drift.systems),
        "changed": [_crystal(row) for row in changed.head(_ROWS).iter_rows(named=True)],
        "flipped": [_crystal(row) for row in flipped.head(_ROWS).iter_rows(named=True)],
        "systems": drift.systems.head(_ROWS).rows(named=True),
        "plots": {name: plot(chart, name) for name, chart in figures.items()},
    }


def _crystal(row: dict[str, Any]) -> dict[str, Any]:
    change = row["energy_change"]
    hull = (row["energy_above_hull_old"], row["energy_above_hull_new"])
    numbers = {name: "" for name, value in row.items() if value is None}  # sorts as 0
    return {
        **row,
        **numbers,
        "formula": markup.formula(row["formula_pretty"]),
        "old_text": markup.electronvolts(row["energy_old"]),
        "new_text": markup.electronvolts(row["energy_new"]),
        "change_text": ("+" if change is not None and round(1e4 * change) > 0 else "") + markup.milli(change, 1),
        "hull_old_text": markup.milli(hull[0], 1),
        "hull_new_text": markup.milli(hull[1], 1),
    }
