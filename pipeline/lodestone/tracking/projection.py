"""Reads a finished campaign into runs from its artifacts, without MLflow.

Nothing is logged while stages run, because a cached stage runs no code.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lodestone.config.params import Params
from lodestone.runtime.redaction import public_address
from lodestone.tables.files import read_json
from lodestone.tables.layout import METRICS, REPORTS, TIMINGS
from lodestone.tracking.cards import campaign_note, model_card
from lodestone.tracking.datasets import datasets_of
from lodestone.tracking.finished import FinishedCampaign
from lodestone.tracking.headline import headline
from lodestone.tracking.records import (
    RECEIPT,
    CampaignRecord,
    DatasetRecord,
    ModelRecord,
    Point,
    RunRecord,
    flatten,
    points_of,
)

_CURVES = ("train_mae", "validation_mae", "validation_mae_unrelaxed", "learning_rate")
# Groups of the figures in child runs. MLflow lists groups by name: these come after those of the campaign.
IN_ROUND, _IN_TRAINING, _TIME = "within_round", "within_training", "wall_time"
_DIGEST_LENGTH = 36  # of a dataset in MLflow


def project(root: Path, params: Params) -> CampaignRecord:
    """Read a finished campaign.

    Args:
        root: Root of the repository.
        params: Parameters of the campaign.

    Raises:
        LodestoneError: If a metrics file is missing or damaged.
    """
    campaign = FinishedCampaign(root, params)
    datasets = {name: datasets_of(campaign.layout.round(name)) for name in campaign.names}
    children = [run for name, sets in datasets.items() for run in _runs_of_round(campaign, name, sets)]
    return CampaignRecord(
        digest=campaign.digest,
        parent=_parent_run(campaign, datasets[campaign.names[-1]]),
        children=tuple(children),
        snapshot=campaign.snapshot,
        labels=campaign.labels,
    )


def _parent_run(campaign: FinishedCampaign, datasets: tuple[DatasetRecord, ...]) -> RunRecord:
    points: list[Point] = []
    for step, name in enumerate(campaign.names):
        ensemble, learning = (campaign.metrics(name, stage) for stage in ("ensemble", "active_learning"))
        points += headline(ensemble, learning, campaign.params.views, step)
    files = [path for path in sorted((campaign.root / METRICS).glob("*.json")) if path.name != RECEIPT.name]
    reports = [campaign.root / REPORTS / name for name in ("campaign.html", "discoveries.parquet", "cifs")]
    origins = (campaign.layout.provenance, campaign.layout.oracle)
    settings = flatten(campaign.params.model_dump(mode="json", by_alias=True))
    return RunRecord(
        name=f"campaign-{campaign.digest[:8]}",
        params={key: public_address(value) if isinstance(value, str) else value for key, value in settings},
        points=points,
        files=tuple(path for path in (*files, *origins, *reports) if path.exists()),
        datasets=(_snapshot_set(campaign), *datasets),
        seconds=sum(seconds for owner in _owners(campaign) for seconds in _seconds(campaign, owner)),
        note=campaign_note(campaign),
    )


def _snapshot_set(campaign: FinishedCampaign) -> DatasetRecord:
    provenance = read_json(campaign.layout.provenance)
    source = str(provenance.get("source", "unknown"))
    n = int(provenance.get("counts", {}).get("snapshot", 0))
    return DatasetRecord(f"snapshot ({source})", "snapshot", campaign.snapshot[:_DIGEST_LENGTH], n, source)


def _runs_of_round(campaign: FinishedCampaign, name: str, datasets: tuple[DatasetRecord, ...]) -> Iterator[RunRecord]:
    """A run for each view, and one for the ensemble and active learning."""
    learned_from = tuple(dataset for dataset in datasets if dataset.context != "test")
    for view in campaign.params.views:
        history = campaign.layout.round(name).history(view)
        settings = dict(flatten(campaign.params.view(view).model_dump(mode="json")))
        yield RunRecord(
            name=f"{name}/{view}",
            params={"round": name, "view": view, **settings},
            points=[*_curves(history), *_timings(campaign, (name, view))],
            files=(history,) if history.is_file() else (),
            datasets=learned_from,
            seconds=sum(_seconds(campaign, (name, view))),
        )
    yield _round_run(campaign, name, datasets)


def _round_run(campaign: FinishedCampaign, name: str, datasets: tuple[DatasetRecord, ...]) -> RunRecord:
    ensemble, learning = campaign.metrics(name, "ensemble"), campaign.metrics(name, "active_learning")
    mae = float(ensemble["validation"]["ensemble"]["mae"])
    files = campaign.layout.round(name)
    return RunRecord(
        name=name,
        params={"round": name, **campaign.params.rounds[name].model_dump(mode="json")},
        points=[*points_of({**ensemble, "active_learning": learning}, IN_ROUND), *_timings(campaign, (name,))],
        datasets=datasets,
        seconds=sum(_seconds(campaign, (name,))),
        model=ModelRecord(
            files=files,
            views=campaign.params.views,
            validation_mae=mae,
            card=model_card(campaign, name, datasets),
        ),
    )


def _curves(path: Path) -> Iterator[Point]:
    if not path.is_file():
        return
    with path.open(newline="") as lines:
        for row in csv.DictReader(lines):
            for key in _CURVES:
                value = float(row.get(key) or "nan")
                if math.isfinite(value):
                    yield Point(f"{_IN_TRAINING}/{key}.member_{row['member']}", value, int(row["epoch"]))


def _owners(campaign: FinishedCampaign) -> set[tuple[str, ...]]:
    return {owner for owner, _, _ in _timed(campaign)}


def _seconds(campaign: FinishedCampaign, owner: tuple[str, ...]) -> list[float]:
    """Wall-clock time of the stages of a run."""
    return [float(figures.get("seconds", 0.0)) for other, _, figures in _timed(campaign) if other == owner]


def _timings(campaign: FinishedCampaign, owner: tuple[str, ...]) -> list[Point]:
    timed = [(stage, figures) for other, stage, figures in _timed(campaign) if other == owner]
    return [point for stage, figures in timed for point in points_of({stage: figures}, _TIME)]


def _timed(campaign: FinishedCampaign) -> Iterator[tuple[tuple[str, ...], str, Mapping[str, Any]]]:
    """Stages with figures and the run they belong to: ``(round, view)``, ``(round,)``, or ``()`` for the campaign."""
    for path in sorted((campaign.root / TIMINGS).glob("*.json")):
        stage, *arguments = path.stem.split("-")
        rounds = [argument for argument in arguments if argument in campaign.names][:1]
        views = [argument for argument in arguments if argument in campaign.params.views][:1]
        yield (*rounds, *(views if rounds else ())), stage, read_json(path)
