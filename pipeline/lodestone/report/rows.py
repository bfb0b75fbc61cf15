"""The rows of the page's tables: plain values and markup, ready for the template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from math import log10
from typing import Any

import polars as pl
from markupsafe import Markup

from lodestone.config.sections import GeometryParams
from lodestone.report import markup
from lodestone.report.collect import ENSEMBLE, NO_DISCOVERIES, UNBUILT, CampaignData, HitRate, RoundData
from lodestone.report.discoveries import ON_HULL, cif_name
from lodestone.report.dynamics import COLUMN as DYNAMICS
from lodestone.report.moles import in_moles
from lodestone.report.second_opinions import agreement
from lodestone.runtime.redaction import public_address

RELAXED_INTO_KNOWN = "relaxed into a known crystal or another candidate"
OUT_OF_DISTRIBUTION_REASONS = {
    "in_distribution": "like the training crystals",
    "element": "an element never seen",
    "pair": "two elements never seen together",
    "system": "a chemical system never seen",
    "latent": "far in latent space",
}
STEPS = (
    ("drawn", "Ideas of the generators"),
    ("new", "New: not known, tried or drawn before"),
    ("inside", "In the chemistry of the snapshot, not too large"),
    ("permitted", "Of elements that the campaign may use"),
    ("proposed", "Charge balanced, or without anions (rule: {charge_balance})"),
    ("screened", "Kept by the screening"),
    ("verified", "Given to the oracle"),
    ("ok", "Relaxation accepted"),
    ("below", "New, and on or below the hull"),
    ("stable", "Not too deep below it: discoveries"),
)


def discovery_rows(finds: pl.DataFrame, panels: Collection[str]) -> list[dict[str, Any]]:
    """One row per find, in the order of the table; those that have a panel link to it, the others to their CIF."""
    return [_discovery(row) | {"has_panel": row["material_id"] in panels} for row in finds.iter_rows(named=True)]


def incomplete_rows(table: pl.DataFrame) -> list[dict[str, Any]]:
    """One row per crystal too deep below the hull to be a discovery."""
    return [
        {
            "id": row["material_id"],
            "formula": markup.formula(row["formula_pretty"]),
            "name": row["formula_pretty"],
            "chemsys": row["chemsys"].replace("-", "–"),
            "round": row["round"],
            "by": row["acquired_by"],
            "start": row["energy_above_hull"],
            "start_text": markup.milli(row["energy_above_hull"]),
            "phases": row["n_competing_phases"],
            "decomposition": _decomposition(row),
        }
        for row in table.iter_rows(named=True)
    ]


def round_rows(campaign: CampaignData) -> list[dict[str, Any]]:
    """One row per round: training set, errors in meV/atom, hit rates, stable crystals."""
    return [
        {
            "name": data.name,
            "n_train": f"{data.n_train:,}",
            "test": [markup.milli(data.test[name].mae) for name in data.predictors],
            "unrelaxed": [markup.milli(data.unrelaxed[name].mae) for name in sees_relaxation(campaign)],
            "verified": markup.milli(data.verified_mae["ensemble"]),
            "hits": {who: hit_rate(rate) for who, rate in data.hit_rate.items()},
            "claimed": {who: markup.percent(rate) for who, rate in data.predicted_hit_rate.items()},
            "stable": f"{data.counts['n_stable_start']:,} → {data.counts['n_stable_end']:,}",
            "discovered": data.counts["n_discovered"],
            "incomplete": data.counts["n_hull_incomplete"],
            "total": data.counts["n_discovered_total"],
        }
        for data in campaign.rounds
    ]


def sees_relaxation(campaign: CampaignData) -> list[str]:
    """The predictors whose answer depends on whether a structure is relaxed."""
    views = campaign.rounds[-1].views
    return [view for view in views if isinstance(campaign.params.view(view), GeometryParams)] + [ENSEMBLE]


def weight_rows(campaign: CampaignData) -> list[str]:
    """Weight of each view in the ensemble, one sentence per round and kind of structure."""
    return [
        f"{data.name}, {kind} structures: " + ", ".join(_weight(view, weights[view]) for view in data.views)
        for data in campaign.rounds
        for kind, weights in data.weights.items()
    ]


def _weight(view: str, weight: float | None) -> str:
    return f"weight of the {view} view {markup.NOTHING if weight is None else f'{weight:.2f}'}"


def uncertainty_rows(data: RoundData) -> list[dict[str, Any]]:
    """One row per set of crystals: all validation crystals, all test crystals, and test crystals by reason."""
    rates = {"validation": data.uncertainty["validation"]["coverage"], "test": data.uncertainty["test"]["coverage"]}
    by_reason = data.uncertainty["test"]["by_reason"].items()
    rates |= {f"test, {OUT_OF_DISTRIBUTION_REASONS[reason]}": rate for reason, rate in by_reason}
    return [{"name": name, **hit_rate(HitRate(**rate))} for name, rate in rates.items() if rate["n"]]


def hit_rate(rate: HitRate) -> dict[str, str]:
    """A hit rate in words: share, interval and counts."""
    counts = f"{rate.hits} of {rate.n}" if rate.n else "none chosen"
    return {"rate": markup.percent(rate.rate), "interval": markup.interval(rate.low, rate.high), "counts": counts}


def funnel_rows(campaign: CampaignData) -> list[dict[str, Any]]:
    """One row per step from proposal to discovery, with one cell per round; bars have a logarithmic scale."""
    counts = [_funnel(data) for data in campaign.rounds]
    most = max(1, *(value for steps in counts for value in steps.values()))
    rule = campaign.params.discovery.charge_balance
    return [
        {
            "label": label.format(charge_balance=rule),
            "cells": [{"n": f"{steps[key]:,}", "width": _bar(steps[key], most)} for steps in counts],
        }
        for key, label in STEPS
    ]


def unbuilt_counts(campaign: CampaignData) -> dict[str, int]:
    """Structures that generators could not make, over all rounds."""
    failed, late = (sum(data.counts[name] for data in campaign.rounds) for name in UNBUILT)
    return {"total": failed + late, "failed": failed, "out_of_time": late}


def rejection_rows(campaign: CampaignData) -> list[dict[str, Any]]:
    """Why verified candidates were rejected: one row per reason, with one count per round."""
    counts = [Counter(_rejections(data).values()) for data in campaign.rounds]
    reasons = sorted(
        {name for counted in counts for name in counted}, key=lambda name: (-sum(c[name] for c in counts), name)
    )
    return [{"label": name, "cells": [counted[name] for counted in counts]} for name in reasons]


def rejected_candidates(campaign: CampaignData) -> list[dict[str, Any]]:
    """Each rejected candidate with its round, its origin, and the oracle's reason."""
    return [
        {
            "id": row["material_id"],
            "round": data.name,
            "formula": markup.formula(row["formula_pretty"]),
            "made": markup.origin(row["generator"], row["provenance"]),
            "reason": refused[row["material_id"]] + (f" ({row['status']})" if ":" in row["status"] else ""),
        }
        for data in campaign.rounds
        for refused in [_rejections(data)]
        for row in data.verifications.sort("material_id").iter_rows(named=True)
        if row["material_id"] in refused
    ]


def flattened(content: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as pairs of a dotted name and a value, in their original order; passwords are removed."""
    if isinstance(content, dict) and content:
        return [pair for key, value in content.items() for pair in flattened(value, f"{prefix}{key}.")]
    if isinstance(content, (list, tuple)):
        text = ", ".join(str(value) for value in content) or markup.NOTHING
    else:
        text = markup.NOTHING if content is None or content == {} else public_address(str(content))
    return [(prefix.rstrip("."), text)]


def _discovery(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["material_id"],
        "cif": cif_name(row),
        "polymorphs": row["n_polymorphs"],
        "words": row["chemsys"].replace("-", " "),
        "origin": markup.origin(row["generator"], row["provenance"]),
        "name": row["formula_pretty"],
        "formula": markup.formula(row["formula_pretty"]),
        "symbol": markup.spacegroup(row["spacegroup_number"]),
        "number": row["spacegroup_number"],
        "prototype": markup.prototype(row["prototype"]),
        "prototype_full": row["prototype"],
        "novelty": row["novelty"],
        "known_as": row["known_as"],
        "disorder": row["likely_disorder"],
        "family": row["disorder_family"],
        "round": row["round"],
        "by": row["acquired_by"],
        "start": row["energy_above_hull_start"],
        "start_text": markup.milli(row["energy_above_hull_start"], digits=1),
        "phases": row["n_competing_phases"],
        "end": row["energy_above_hull"],
        "end_text": markup.milli(row["energy_above_hull"]),
        "on_hull": row["energy_above_hull"] <= ON_HULL,
        "probability": row["stability_probability"],
        "probability_text": markup.percent(row["stability_probability"]),
        **agreement(row),
        "dynamics": row[DYNAMICS],
        "verified": row["formation_energy_per_atom"],
        "verified_text": markup.electronvolts(row["formation_energy_per_atom"]),
        "decomposition": _decomposition(row),
    }


def _decomposition(row: dict[str, Any]) -> Markup:
    return markup.decomposition(in_moles(row["decomposition"] or "", row["formula_pretty"]))


def _funnel(data: RoundData) -> dict[str, int]:
    counts = data.counts
    permitted = counts["n_proposed"] + counts["n_unbalanced"]
    inside = permitted + counts["n_excluded"]
    new = inside + counts["n_outside"]
    return {
        "drawn": new + counts["n_known"] + counts["n_tried"] + counts["n_repeated"],
        "new": new,
        "inside": inside,
        "permitted": permitted,
        "proposed": counts["n_proposed"],
        "screened": counts["n_screened"],
        "verified": counts["n_verified"],
        "ok": counts["n_ok"],
        "below": sum(counts[name] for name in ("n_discovered", *NO_DISCOVERIES)),
        "stable": counts["n_discovered"],
    }


def _bar(count: int, most: int) -> str:
    """Width of a bar in percent; logarithmic, so that a thousandfold difference stays visible."""
    return "0" if count <= 0 else f"{100 * (1 + log10(count)) / (1 + log10(most)):.1f}"


def _rejections(data: RoundData) -> dict[str, str]:
    """Reason, by identifier, for each candidate that is not a new crystal."""
    refused = {}
    for name, status, new in data.verifications.select("material_id", "status", "is_new").iter_rows():
        if status != "ok":
            refused[name] = markup.reason(status)
        elif not new:
            refused[name] = RELAXED_INTO_KNOWN
    return refused
