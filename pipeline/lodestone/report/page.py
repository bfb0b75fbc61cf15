"""The report page: figures and tables in one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from lodestone.report import rows
from lodestone.report.collect import CampaignData, HitRate
from lodestone.report.discoveries import incomplete_finds
from lodestone.report.dynamics import WORDS
from lodestone.report.element_classes import class_rows
from lodestone.report.figures import errors, hit_rates, parity, verified_energies, verified_hull_distances
from lodestone.report.finds import find_panels, one_per_formula
from lodestone.report.generators import generator_rows
from lodestone.report.html import embedded, page, plot
from lodestone.report.hull_figures import binary_figure, simplex_figure
from lodestone.report.hulls import most_changed_systems, system_hull
from lodestone.report.markup import milli
from lodestone.report.periodic import element_cells
from lodestone.report.summary import campaign_summary, n_agreed
from lodestone.report.uncertainty_figures import coverage, stability

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def render(campaign: CampaignData, discoveries: pl.DataFrame) -> str:
    """The report as HTML: it makes no requests, and equal campaigns give equal bytes.

    Args:
        campaign: The campaign.
        discoveries: Its discoveries, from :func:`lodestone.report.discoveries.discoveries`.
    """
    return page("template.html.j2", _content(campaign, discoveries))


def _content(campaign: CampaignData, discoveries: pl.DataFrame) -> dict[str, Any]:
    last, summary = campaign.rounds[-1], campaign_summary(campaign, discoveries)
    finds = one_per_formula(discoveries, campaign.verifications)
    panels = find_panels(campaign, finds)
    return {
        "summary": summary,
        "proposed": sum(data.counts["n_proposed"] for data in campaign.rounds),
        "last": last.name,
        "last_hits": {who: rows.hit_rate(rate) for who, rate in last.hit_rate.items()},
        "last_mae": {name: milli(error.mae) for name, error in last.test.items()},
        "n_test": last.test["ensemble"].n,
        "views": last.views,
        "predictors": last.predictors,
        "sees_relaxation": rows.sees_relaxation(campaign),
        "weights": rows.weight_rows(campaign),
        "labels": _labels(campaign),
        "round_names": [data.name for data in campaign.rounds],
        "rounds": rows.round_rows(campaign),
        "uncertainty": rows.uncertainty_rows(campaign.rounds[-1]),
        "discoveries": rows.discovery_rows(finds, set(panels)),
        "panels": embedded(panels),
        "elements": element_cells(campaign),
        "element_classes": class_rows(campaign),
        "incomplete": rows.incomplete_rows(incomplete_finds(campaign)),
        "judges": _judges(campaign),
        "dynamics": _dynamics(summary["phonons"]),
        "agreed": n_agreed(discoveries),
        "depth": {name: milli(summary["depth"][name]) for name in ("median", "max")},
        "min_depth": milli(shallowest) if (shallowest := campaign.params.discovery.min_depth) else None,
        "max_depth": milli(campaign.params.discovery.max_depth),
        "funnel": rows.funnel_rows(campaign),
        "generators": generator_rows(summary["generators"]),
        "unbuilt": rows.unbuilt_counts(campaign),
        "rejections": rows.rejection_rows(campaign),
        "rejected": rows.rejected_candidates(campaign),
        "provenance": rows.flattened(campaign.provenance),
        "label_metrics": rows.flattened(campaign.labels | {"oracle": campaign.oracle}),
        "settings": rows.flattened(campaign.params.model_dump(mode="json", by_alias=True)),
        "n_references": campaign.references.height,
        "plots": {name: plot(chart, name) for name, chart in _figures(campaign).items()},
        "hulls": [plot(chart, name) for name, chart in _hulls(campaign, discoveries).items()],
    }


def _judges(campaign: CampaignData) -> dict[str, Any] | None:
    """Who else was asked, and the share of the discoveries on which all agree."""
    if campaign.opinions is None:
        return None
    share = campaign.opinions["all_agree"]
    return {
        "names": [f"{name} ({facts['functional']})" for name, facts in campaign.opinions["oracles"].items()],
        "agreed": rows.hit_rate(HitRate(**share)),
        "survive": {name: rows.hit_rate(HitRate(**one)) for name, one in campaign.opinions["survive"].items()},
    }


def _dynamics(shares: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Of how many discoveries the phonons were looked at, and how many are stable, unstable, undecided."""
    if shares is None:
        return None
    told = {word: rows.hit_rate(HitRate(**shares[word])) for word in WORDS.values()}
    return {"n": shares["n_finds"], "not_computed": shares["n_not_computed"], "shares": told}


def _labels(campaign: CampaignData) -> dict[str, Any]:
    """Facts about the labels, and about the source's own energies."""
    oracle = campaign.oracle["name"]
    method = campaign.provenance.get("label_method")
    return {
        "oracle": oracle,
        "what": campaign.oracle["caveat"],
        "source": campaign.provenance.get("source", campaign.params.snapshot.source),
        "method": method,
        "scheme": campaign.provenance.get("correction_scheme"),
        "same": method == oracle,
    }


def _figures(campaign: CampaignData) -> dict[str, Figure]:
    views = parity(campaign.rounds[-1])
    named = {"hit-rate": hit_rates(campaign.rounds), "errors": errors(campaign.rounds)}
    named |= {"verified": verified_energies(campaign), "verified-hull": verified_hull_distances(campaign)}
    named |= {
        "coverage": coverage(campaign.rounds[-1].uncertainty),
        "stability": stability(campaign.rounds[-1].stability),
    }
    return named | {f"parity-{index}": chart for index, chart in enumerate(views)}


def _hulls(campaign: CampaignData, discoveries: pl.DataFrame) -> dict[str, Figure]:
    """One figure of each binary system, two (before, after) of each ternary."""
    discovered = set(discoveries["material_id"])
    charts = {}
    for elements in most_changed_systems(campaign, discoveries):
        name, heading = f"hull-{'-'.join(elements)}", "–".join(elements)
        before = system_hull(campaign.rounds[0].crystals, elements, discovered)
        after = system_hull(campaign.known, elements, discovered)
        if len(elements) == 2:
            charts[name] = binary_figure(before, after)
        else:
            charts[f"{name}-before"] = simplex_figure(before, f"{heading}, before", after)
            charts[f"{name}-after"] = simplex_figure(after, f"{heading}, after", before)
    return charts
