"""Everything the report needs, read from the files of a campaign into one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from lodestone.config.params import Params
from lodestone.config.rounds import round_names
from lodestone.errors import LodestoneError
from lodestone.report.second_opinions import said_by_a_stage
from lodestone.schemas import Candidates, Crystals, Phases, Predictions, References, Verifications
from lodestone.tables.files import read_json, read_table
from lodestone.tables.layout import METRICS, Layout, RoundLayout

ENSEMBLE = "ensemble"  # used alongside the names of views
SPLITS = ("validation", "test")
NO_DISCOVERIES = ("n_undecided", "n_overtaken", "n_hull_incomplete")  # new crystals below the hull, and why not
COUNTS = (
    "n_proposed",
    "n_known",
    "n_tried",
    "n_repeated",
    "n_outside",
    "n_excluded",
    "n_unbalanced",
    "n_screened",
    "n_verified",
    "n_ok",
    "n_stable_start",
    "n_stable_end",
    "n_discovered",
    "n_discovered_total",
    *NO_DISCOVERIES,
)
UNBUILT = ("n_unbuilt", "n_out_of_time")  # counted only where a generator could not make a structure


@dataclass(frozen=True)
class HitRate:
    """How many of one chooser's candidates were verified as stable.

    Attributes:
        hits: Number of stable candidates.
        n: Number of candidates picked.
        rate: ``hits / n``; ``None`` where nothing was picked.
        low: Lower end of the 95 % interval.
        high: Upper end of the 95 % interval.
    """

    hits: int
    n: int
    rate: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Errors:
    """Errors of one predictor on one split, eV/atom."""

    mae: float
    rmse: float
    n: int


@dataclass(frozen=True)
class RoundData:
    """One round: its tables and its metrics.

    Attributes:
        name: Name of the round.
        crystals: Crystals known at its start.
        predictions: Ensemble predictions on the validation and test crystals.
        candidates: Screened candidates.
        verifications: The oracle's results.
        n_train: Number of training crystals.
        strategy: How the views are combined, see `ensemble.aggregation`.
        views: Names of the views.
        weights: Mean weight of each view in the ensemble, by input structure: ``relaxed`` or ``unrelaxed``.
        test: Errors on the test crystals, by predictor (each view and ``ensemble``).
        unrelaxed: The same for unrelaxed structures, as in screening.
        uncertainty: Scores of the predicted errors on the validation and test crystals.
        stability: Scores of P(stable) on the same crystals.
        counts: The counters named in ``COUNTS`` and ``UNBUILT``.
        hit_rate: Hit rate by chooser: ``model`` or ``random``.
        predicted_hit_rate: Mean probability of a hit of the same candidates before verification, or ``None``.
        verified_mae: Mean absolute error on the verified candidates by predictor, eV/atom, or ``None``.
        n_verified_mae: Number of candidates behind ``verified_mae``.
    """

    name: str
    crystals: pl.DataFrame
    predictions: pl.DataFrame
    candidates: pl.DataFrame
    verifications: pl.DataFrame
    n_train: int
    strategy: str
    views: tuple[str, ...]
    weights: dict[str, dict[str, float | None]]
    test: dict[str, Errors]
    unrelaxed: dict[str, Errors]
    uncertainty: dict[str, dict[str, Any]]
    stability: dict[str, dict[str, Any]]
    counts: dict[str, int]
    hit_rate: dict[str, HitRate]
    predicted_hit_rate: dict[str, float | None]
    verified_mae: dict[str, float | None]
    n_verified_mae: int

    @property
    def predictors(self) -> tuple[str, ...]:
        """Each view, and the ensemble."""
        return (*self.views, ENSEMBLE)


@dataclass(frozen=True)
class CampaignData:
    """A finished campaign.

    Attributes:
        params: Settings it ran with.
        rounds: Its rounds, in the order of the chain; at least one.
        known: Crystals known at the end, with distances to the final hull.
        references: Elemental reference energies.
        provenance: Where the snapshot comes from, as its stage wrote it.
        labels: Metrics of the label stage.
        oracle: Facts about the oracle that labeled the crystals: at least ``name`` and ``caveat``.
        phases: Competing phases without structures, all known at the start.
        opinions: What further oracles say of the discoveries; ``None`` where nobody was asked, or not yet.
        phonons: Which discoveries are dynamically stable; ``None`` where nobody has looked, or not yet.
    """

    params: Params
    rounds: tuple[RoundData, ...]
    known: pl.DataFrame
    references: pl.DataFrame
    provenance: dict[str, Any]
    labels: dict[str, Any]
    oracle: dict[str, Any]
    phases: pl.DataFrame = field(default_factory=Phases.empty)
    opinions: Mapping[str, Any] | None = None
    phonons: Mapping[str, Any] | None = None

    @property
    def verifications(self) -> pl.DataFrame:
        """Verifications of all rounds, round after round."""
        return pl.concat([data.verifications for data in self.rounds])


def collect(params: Params, layout: Layout = Layout(), metrics: Path = METRICS) -> CampaignData:  # noqa: B008 (frozen)
    """Read a campaign.

    Args:
        params: Settings of the campaign; its chain of rounds determines what is read.
        layout: Where the data is.
        metrics: Where the metrics are.

    Raises:
        LodestoneError: If a file is missing, damaged or lacks a key.
    """
    names = round_names(params.rounds)
    end = layout.round(params.rounds[names[-1]].next)
    return CampaignData(
        params=params,
        rounds=tuple(_round(layout.round(name), metrics / name, params.views) for name in names),
        known=read_table(end.crystals, Crystals),
        references=read_table(layout.references, References),
        provenance=read_json(layout.provenance),
        labels=read_json(metrics / "label.json"),
        oracle=_oracle(layout.oracle),
        phases=read_table(layout.phases, Phases),
        opinions=said_by_a_stage(layout.opinions, "oracles"),
        phonons=said_by_a_stage(layout.phonons, "finds"),
    )


def _oracle(path: Path) -> dict[str, Any]:
    facts = read_json(path)
    lacking = {"name", "caveat"} - facts.keys()
    if lacking:
        raise LodestoneError(f"{path} lacks {min(lacking)!r}", "delete it and run `dvc repro`, which makes it again")
    return facts


def _round(files: RoundLayout, metrics: Path, views: tuple[str, ...]) -> RoundData:
    crystals = read_table(files.crystals, Crystals)
    predictions = read_table(files.predictions, Predictions)
    candidates = read_table(files.candidates, Candidates)
    verifications = read_table(files.verifications, Verifications)
    try:
        return RoundData(
            name=files.name,
            crystals=crystals,
            predictions=predictions,
            candidates=candidates,
            verifications=verifications,
            **_metrics(metrics, views),
        )
    except (KeyError, TypeError) as error:
        raise LodestoneError(
            f"a metrics file in {metrics} lacks {error}", "delete that folder and run `dvc repro`, which makes it again"
        ) from error


def _metrics(folder: Path, views: tuple[str, ...]) -> dict[str, Any]:
    ensemble, learning = read_json(folder / "ensemble.json"), read_json(folder / "active_learning.json")
    unrelaxed, verified, predictors = ensemble["unrelaxed"], learning["verified_mae"], (*views, ENSEMBLE)
    return {
        "n_train": ensemble["n_train"],
        "strategy": ensemble["strategy"],
        "views": views,
        "weights": {"relaxed": ensemble["weights"], "unrelaxed": unrelaxed["weights"]},
        "test": {name: Errors(**_only(ensemble["test"][name], Errors)) for name in predictors},
        "unrelaxed": {name: Errors(**_only(unrelaxed["test"][name], Errors)) for name in predictors},
        **{name: {split: ensemble[split][name] for split in SPLITS} for name in ("uncertainty", "stability")},
        "counts": {name: learning[name] for name in COUNTS} | {name: learning.get(name, 0) for name in UNBUILT},
        "hit_rate": {who: HitRate(**_only(learning["hit_rate"][who], HitRate)) for who in ("model", "random")},
        "predicted_hit_rate": {who: learning["predicted_hit_rate"][who] for who in ("model", "random")},
        "verified_mae": {name: verified[name] for name in predictors},
        "n_verified_mae": verified["n"],
    }


def _only(content: dict[str, Any], kind: type) -> dict[str, Any]:
    return {name: content[name] for name in kind.__dataclass_fields__}  # type: ignore[attr-defined]
