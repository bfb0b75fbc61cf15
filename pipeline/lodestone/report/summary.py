"""The campaign in numbers: one row per round for `dvc plots`, a full summary, and a short one for `dvc metrics`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import polars as pl

from lodestone.novelty.disorder import n_families
from lodestone.report.collect import ENSEMBLE, NO_DISCOVERIES, CampaignData, RoundData
from lodestone.report.discoveries import ON_HULL
from lodestone.report.dynamics import dynamics_summary
from lodestone.report.generators import contributions
from lodestone.report.second_opinions import opinion_summary
from lodestone.stability.density import depths


def rounds_table(campaign: CampaignData) -> pl.DataFrame:
    """One row per round; energies in eV/atom, empty where nothing was measured."""
    return pl.DataFrame([_row(index, data) for index, data in enumerate(campaign.rounds)], infer_schema_length=None)


def error_table(campaign: CampaignData) -> pl.DataFrame:
    """Test error of each predictor, in a column of the same name, one row per round; eV/atom."""
    rows = [{name: data.test[name].mae for name in data.predictors} for data in campaign.rounds]
    return pl.DataFrame({"round": list(range(len(rows)))}).hstack(pl.DataFrame(rows, infer_schema_length=None))


def campaign_summary(campaign: CampaignData, discoveries: pl.DataFrame) -> dict[str, Any]:
    """The contents of `metrics/campaign.json`.

    Args:
        campaign: The campaign.
        discoveries: Its discoveries.
    """
    last = campaign.rounds[-1]
    return {
        "n_rounds": len(campaign.rounds),
        "n_known_start": campaign.rounds[0].crystals.height,
        "n_known_end": campaign.known.height,
        "n_verified": sum(data.counts["n_verified"] for data in campaign.rounds),
        "n_discoveries": discoveries.height,
        "n_discoveries_on_final_hull": n_on_final_hull(discoveries),
        "n_formulas": discoveries["formula_pretty"].n_unique(),
        "novelty": dict(discoveries["novelty"].value_counts().sort("novelty").iter_rows()),
        "generators": contributions(campaign, discoveries),
        "n_likely_disordered": discoveries["likely_disorder"].count(),
        "n_families": n_families(discoveries),
        "opinions": opinion_summary(campaign.opinions),
        "phonons": dynamics_summary(campaign.phonons),
        "depth": depths(discoveries["energy_above_hull_start"]),
        **{name: sum(data.counts[name] for data in campaign.rounds) for name in NO_DISCOVERIES},
        "test_mae": {name: last.test[name].mae for name in last.predictors},
        "hit_rate": {data.name: {who: asdict(rate) for who, rate in data.hit_rate.items()} for data in campaign.rounds},
    }


def headline(campaign: CampaignData, discoveries: pl.DataFrame) -> dict[str, float | int | None]:
    """The few numbers in `metrics/summary.json`, for one line of `dvc metrics show`.

    Discoveries, their median depth below the hull (eV/atom), and how many of them no further oracle disputes, where
    any was asked; the last round's test error; hit rates over
    all rounds.
    """
    figures: dict[str, float | int | None] = {
        "discoveries": discoveries.height,
        "depth": depths(discoveries["energy_above_hull_start"])["median"],
        "agreed": n_agreed(discoveries),
    }
    figures["test_mae"] = campaign.rounds[-1].test[ENSEMBLE].mae
    for who in ("model", "random"):
        rates = [data.hit_rate[who] for data in campaign.rounds]
        picked = sum(rate.n for rate in rates)
        figures[f"hit_rate_{who}"] = sum(rate.hits for rate in rates) / picked if picked else None
    return figures


def n_on_final_hull(discoveries: pl.DataFrame) -> int:
    """Number of discoveries that no later discovery pushed off the hull."""
    return discoveries.filter(discoveries["energy_above_hull"] <= ON_HULL).height


def n_agreed(discoveries: pl.DataFrame) -> int | None:
    """Number of discoveries that no oracle disputes; ``None`` where none was asked."""
    judged = discoveries["disputed_by"].drop_nulls()
    return int((judged == "").sum()) if len(judged) else None


def _row(index: int, data: RoundData) -> dict[str, Any]:
    row: dict[str, Any] = {"round": index, "name": data.name, "n_train": data.n_train}
    row |= {f"test_mae_{name}": data.test[name].mae for name in data.predictors}
    for who, rate in data.hit_rate.items():
        row |= {f"hit_rate_{who}": rate.rate, f"hit_rate_{who}_low": rate.low, f"hit_rate_{who}_high": rate.high}
        row |= {f"hit_rate_{who}_hits": rate.hits, f"hit_rate_{who}_n": rate.n}
    row |= {f"verified_mae_{name}": data.verified_mae[name] for name in data.predictors}
    row |= {"n_verified": data.counts["n_verified"], "n_stable": data.counts["n_stable_end"]}
    return row | {name: data.counts[name] for name in ("n_discovered", "n_discovered_total", "n_hull_incomplete")}
