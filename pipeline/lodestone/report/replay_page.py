"""A replayed campaign as a page of its own: figures of every policy, discovery curves, hit rates by round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lodestone.report.html import page, plot
from lodestone.report.markup import percent
from lodestone.report.theme import BELOW, BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, SKY, VERMILION, figure, title

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Summary = Mapping[str, Any]
FIGURES = ("acceleration", "share_of_ceiling", "area", "area_within_budget")
_COLORS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY)
_PLAIN = {"random": (MUTED, "dot"), "likeliest-substitution": (INK, "dashdot")}  # these need no networks
_SHIFT = 0.06  # between policies at one round


def render(summary: Summary) -> str:
    """The page as HTML: no request leaves it, and equal figures give equal bytes.

    Args:
        summary: What ``replay.json`` holds.
    """
    ranked = dict(sorted(summary["policies"].items(), key=lambda item: -item[1]["acceleration"]["mean"]))
    plots = {"curves": discovery_curves(summary, ranked), "rates": hit_rates(ranked)}
    content = {
        **{name: summary[name] for name in ("budget", "rounds", "seeds", "n_known", "n_pool", "n_stable")},
        "known": summary["known"],
        "pool": summary["pool"],
        "prevalence": f"{summary['prevalence']:.1%}",
        "ceiling": f"{summary['acceleration_ceiling']:.2f}",
        "n_rounds": list(range(summary["rounds"])),
        "rows": [_row(name, found) for name, found in ranked.items()],
        "plots": {name: plot(drawn, name) for name, drawn in plots.items()},
    }
    return page("replay.html.j2", content)


def discovery_curves(summary: Summary, ranked: Mapping[str, Any]) -> Figure:
    """Finds after each verification, between those of a perfect choice and of the average of random ones."""
    budget, n_stable, n_pool = summary["budget"], summary["n_stable"], summary["n_pool"]
    drawn = figure(
        460,
        title=title("Discovery curves", "mean over seeds"),
        xaxis={"title": "verified"},
        yaxis={"title": "stable crystals found", "rangemode": "tozero"},
        legend=BELOW | {"y": -0.16},
        margin={"l": 64, "r": 16, "t": 60, "b": 110},
    )
    steps = list(range(budget + 1))
    bounds = {"perfect choice": [min(step, n_stable) for step in steps]}
    bounds["random, on average"] = [step * n_stable / n_pool for step in steps]
    for name, values in bounds.items():
        drawn.add_scatter(x=steps, y=values, name=name, mode="lines", line={"color": MUTED, "width": 1, "dash": "dash"})
    for name, (color, dash) in _looks(ranked).items():
        line = {"color": color, "width": 2, "dash": dash}
        hover = "%{x} verified: %{y:.1f} found<extra>" + name + "</extra>"
        curve = [0, *ranked[name]["curve"]]
        drawn.add_scatter(x=steps, y=curve, name=name, mode="lines", line=line, hovertemplate=hover)
    return drawn


def hit_rates(ranked: Mapping[str, Any]) -> Figure:
    """Share of the verified crystals that are stable, by round."""
    drawn = figure(
        460,
        title=title("Hit rate by round", "mean over seeds, 95 % interval"),
        xaxis={"title": "round", "dtick": 1},
        yaxis={"title": "hit rate", "tickformat": ".0%", "rangemode": "tozero"},
        legend=BELOW | {"y": -0.16},
        margin={"l": 64, "r": 16, "t": 60, "b": 110},
    )
    middle = (len(ranked) - 1) / 2
    for place, (name, (color, dash)) in enumerate(_looks(ranked).items()):
        rates = ranked[name]["hit_rate"]
        half = [0 if rate["high"] is None else rate["high"] - rate["mean"] for rate in rates]
        drawn.add_scatter(
            x=[number + _SHIFT * (place - middle) for number in range(len(rates))],
            y=[rate["mean"] for rate in rates],
            error_y={"type": "data", "array": half, "color": color, "thickness": 1.2},
            name=name,
            mode="lines+markers",
            line={"color": color, "width": 2, "dash": dash},
            hovertemplate="%{y:.0%}<extra>" + name + "</extra>",
        )
    return drawn


def _looks(ranked: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Color and dash of every policy; those of one name look alike in all figures."""
    others = sorted(name for name in ranked if name not in _PLAIN and name != "ours")
    looks = {"ours": (_COLORS[0], "solid")} | _PLAIN
    looks |= {name: (_COLORS[1 + place % (len(_COLORS) - 1)], "solid") for place, name in enumerate(others)}
    return {name: looks[name] for name in ranked}


def _row(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    shares = {"share_of_ceiling"}
    cells = [
        {"mean": _told(found[key]["mean"], key in shares), "range": _range(found[key], key in shares)}
        for key in FIGURES
    ]
    rates = [{"mean": percent(rate["mean"]), "range": f"n = {rate['n_verified']}"} for rate in found["hit_rate"]]
    return {"name": name, "cells": [*cells, *rates]}


def _told(value: float, is_share: bool) -> str:
    return (percent(value) if is_share else f"{value:.2f}").replace("-", "−")


def _range(found: Mapping[str, Any], is_share: bool) -> str:
    """The interval, e.g. ``4.51 to 5.09``; empty for a single seed."""
    low, high = found["low"], found["high"]
    return "" if low is None else f"{_told(low, is_share)} to {_told(high, is_share)}"
