"""Figures of model quality: hit rates, errors, parity. Pure functions: data in, plotly figure out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from typing import TYPE_CHECKING

import polars as pl

from lodestone.report.collect import ENSEMBLE, CampaignData, Errors, HitRate, RoundData
from lodestone.report.theme import (
    BELOW,
    CHOOSER_COLORS,
    ENSEMBLE_COLOR,
    MUTED,
    ROUND_COLORS,
    VIEW_COLORS,
    VIEW_SYMBOLS,
    annotate_empty,
    figure,
    title,
)
from lodestone.schemas import view_column

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

CHOOSER_NAMES = {"model": "Chosen by the model", "random": "Random baseline"}
_ROOMY = {"l": 60, "r": 16, "t": 44, "b": 84}  # room for a legend below the axes
_LOWER_LEGEND = {"margin": _ROOMY, "legend": BELOW | {"y": -0.14}}
_ENERGY = "formation_energy_per_atom"


@dataclass(frozen=True)
class Look:
    """How a predictor is drawn: views as solid lines, the ensemble dashed, so that both show where they coincide."""

    name: str
    column: str
    color: str
    symbol: str
    dash: str = "solid"
    width: float = 4


def looks(views: Sequence[str]) -> dict[str, Look]:
    """The look of each view and of the ensemble."""
    style = zip(cycle(VIEW_COLORS), cycle(VIEW_SYMBOLS), strict=False)
    view_looks = {
        view: Look(name=f"{view.capitalize()} view", column=view_column(view), color=color, symbol=symbol)
        for view, (color, symbol) in zip(views, style, strict=False)
    }
    column, color = f"{_ENERGY}_pred", ENSEMBLE_COLOR
    ensemble = Look(name="Ensemble", column=column, color=color, symbol="circle-open", dash="dash", width=2)
    return view_looks | {ENSEMBLE: ensemble}


def hit_rates(rounds: Sequence[RoundData]) -> Figure:
    """Hit rate of the model's choice and of the random baseline, with 95 % intervals."""
    highest = max([rate.high or 0 for data in rounds for rate in data.hit_rate.values()])
    shares = {"title": "hit rate", "tickformat": ".0%", "range": [0, 1.05 * (highest or 1)]}
    chart = figure(360, title=title("Hit rate"), xaxis=_rounds(rounds), yaxis=shares, **_LOWER_LEGEND)
    for who, shift in (("model", -0.04), ("random", 0.04)):
        rates = [
            (index, data.hit_rate[who]) for index, data in enumerate(rounds) if data.hit_rate[who].rate is not None
        ]
        chart.add_scatter(
            x=[index + shift for index, _ in rates],
            y=[rate.rate for _, rate in rates],
            error_y=_interval([rate for _, rate in rates], CHOOSER_COLORS[who]),
            text=[_hover_text(rate) for _, rate in rates],
            hovertemplate="%{text}<extra>" + CHOOSER_NAMES[who] + "</extra>",
            name=CHOOSER_NAMES[who],
            showlegend=True,
            mode="lines+markers",
            line={"color": CHOOSER_COLORS[who], "width": 2, "dash": "solid" if who == "model" else "dot"},
            marker={"size": 9, "symbol": "circle" if who == "model" else "square"},
        )
    return chart if highest else annotate_empty(chart, "no candidate was verified")


def errors(rounds: Sequence[RoundData]) -> Figure:
    """Mean absolute errors over the rounds: on the test crystals, and on the verified candidates."""
    scale = {"title": "MAE (meV/atom)", "rangemode": "tozero"}
    chart = figure(360, title=title("Mean absolute error"), xaxis=_rounds(rounds), yaxis=scale, **_LOWER_LEGEND)
    where = list(range(len(rounds)))
    styles = looks(rounds[-1].views)
    for name, look in styles.items():
        _line(chart, where, [1e3 * data.test[name].mae for data in rounds], replace(look, name=f"{look.name}, test"))
    measured = [(index, mae) for index, data in enumerate(rounds) if (mae := data.verified_mae[ENSEMBLE]) is not None]
    verified = [index for index, _ in measured], [1e3 * mae for _, mae in measured]
    look = replace(styles[ENSEMBLE], name="Ensemble, verified candidates", dash="dot", symbol="diamond-open")
    _line(chart, *verified, look)
    return chart


def parity(data: RoundData) -> list[Figure]:
    """Predicted against labeled formation energy of the test crystals: one figure per view and one for the ensemble."""
    formulas = data.crystals.select("material_id", "formula_pretty")
    relaxed_test = (pl.col("split") == "test") & (pl.col("input_structure") == "relaxed")
    test = data.predictions.filter(relaxed_test).join(formulas, on="material_id", how="left")
    test = test.sort("material_id")
    styles = looks(data.views)
    bounds = _bounds(test, [_ENERGY, *(look.column for look in styles.values())])
    return [_parity(test, data.test[name], look, bounds) for name, look in styles.items()]


def verified_energies(campaign: CampaignData) -> Figure:
    """Predicted against verified formation energy of every candidate that the oracle relaxed."""
    return _verified(campaign, f"{_ENERGY}_pred", _ENERGY, "Formation energy")


def verified_hull_distances(campaign: CampaignData) -> Figure:
    """Predicted against verified distance to the hull at the start of the round; the lower left is stable."""
    chart = _verified(campaign, "energy_above_hull_pred", "energy_above_hull", "Energy above the hull at the start")
    line = {"color": MUTED, "width": 1}
    return chart.add_vline(x=0, line=line).add_hline(y=0, line=line)


def _verified(campaign: CampaignData, predicted: str, verified: str, heading: str) -> Figure:
    done = campaign.verifications.filter(pl.col("status") == "ok").sort("material_id")
    bounds = _bounds(done, [verified, predicted])
    axes = {"xaxis": _energy("verified", bounds, ""), "yaxis": _energy("predicted", bounds, "")}
    chart = figure(440, title=title(heading), **axes, margin=_ROOMY | {"b": 110}, legend=BELOW | {"y": -0.16})
    _diagonal(chart, bounds)
    for index, data in enumerate(campaign.rounds):
        for who, symbol in (("model", "circle"), ("random", "square-open")):
            mine = done.filter((pl.col("round") == data.name) & (pl.col("acquired_by") == who))
            marker = {"size": 7, "symbol": symbol, "color": ROUND_COLORS[index % len(ROUND_COLORS)], "opacity": 0.8}
            chart.add_scatter(
                x=mine[verified].to_list(),
                y=mine[predicted].to_list(),
                text=mine["formula_pretty"].to_list(),
                hovertemplate=_HOVER + f"<extra>{data.name}, {who}</extra>",
                name=f"{data.name}, {who}",
                mode="markers",
                showlegend=not mine.is_empty(),
                marker=marker,
            )
    return annotate_empty(chart, "no relaxation was accepted") if done.is_empty() else chart


_HOVER = "<b>%{text}</b><br>verified %{x:.3f}<br>predicted %{y:.3f} eV/atom"


def _parity(test: pl.DataFrame, error: Errors, look: Look, bounds: tuple[float, float]) -> Figure:
    below = f"MAE {1e3 * error.mae:.0f} · RMSE {1e3 * error.rmse:.0f} meV/atom · n = {error.n:,}"
    chart = figure(
        360,
        title=title(look.name, below),
        margin={"l": 56, "r": 12, "t": 60, "b": 48},
        xaxis=_energy("label", bounds),
        yaxis=_energy("predicted", bounds),
        showlegend=False,
    )
    _diagonal(chart, bounds)
    return chart.add_scatter(
        x=test[_ENERGY].to_list(),
        y=test[look.column].to_list(),
        text=test["formula_pretty"].to_list(),
        hovertemplate=_HOVER.replace("verified", "label") + "<extra></extra>",
        mode="markers",
        marker={"size": 5, "color": look.color, "opacity": 0.6},
    )


def _rounds(rounds: Sequence[RoundData]) -> dict[str, object]:
    where = list(range(len(rounds)))
    ticks: dict[str, object] = {"tickmode": "array", "tickvals": where, "ticktext": [data.name for data in rounds]}
    return ticks | {"range": [-0.3, len(rounds) - 0.7]}


def _interval(rates: Sequence[HitRate], color: str) -> dict[str, object]:
    up = [(rate.high or 0) - (rate.rate or 0) for rate in rates]
    down = [(rate.rate or 0) - (rate.low or 0) for rate in rates]
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "color": color, "thickness": 1.5}


def _hover_text(rate: HitRate) -> str:
    return (
        f"<b>{rate.rate or 0:.1%}</b> ({rate.hits} of {rate.n})<br>95 % CI {rate.low or 0:.1%} to {rate.high or 0:.1%}"
    )


def _line(chart: Figure, x: list[int], y: list[float], look: Look) -> None:
    chart.add_scatter(
        x=x,
        y=y,
        name=look.name,
        showlegend=True,
        mode="lines+markers",
        line={"color": look.color, "width": look.width, "dash": look.dash},
        marker={"size": 9, "symbol": look.symbol, "color": look.color},
        hovertemplate="%{y:.1f} meV/atom<extra>" + look.name + "</extra>",
    )


def _bounds(table: pl.DataFrame, columns: list[str]) -> tuple[float, float]:
    """Common range of several columns plus a margin, eV/atom."""
    values = pl.concat([table[column].cast(pl.Float64).alias("value") for column in columns]).drop_nulls()
    if values.is_empty():
        return -1.0, 0.0
    low, high = float(values.min()), float(values.max())  # type: ignore[arg-type]
    margin = 0.05 * max(high - low, 0.1)
    return low - margin, high + margin


def _energy(what: str, bounds: tuple[float, float], of: str = " formation energy") -> dict[str, object]:
    return {"title": f"{what}{of} (eV/atom)", "range": list(bounds), "showgrid": True}


def _diagonal(chart: Figure, bounds: tuple[float, float]) -> None:
    line = {"color": MUTED, "width": 1, "dash": "dash"}
    chart.add_scatter(x=list(bounds), y=list(bounds), mode="lines", line=line, hoverinfo="skip", showlegend=False)
