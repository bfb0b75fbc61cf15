"""Reads a finished campaign into runs from its artifacts, without MLflow.

Nothing is logged while stages run, because a cached stage runs no code.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lodestone.config.params import Params
from lodestone.config.rounds import round_names
from lodestone.runtime.redaction import public_address
from lodestone.tables.files import read_json
from lodestone.tables.layout import METRICS, REPORTS, TIMINGS, Layout
from lodestone.tracking.records import RECEIPT, CampaignRecord, Point, RunRecord, flatten, points_of

_CURVES = ("train_mae", "validation_mae", "validation_mae_unrelaxed", "learning_rate")


@dataclass(frozen=True)
class _Campaign:
    """Location of the files of a campaign, and its rounds in order."""

    root: Path
    params: Params

    @property
    def names(self) -> list[str]:
        return round_names(self.params.rounds)

    @property
    def layout(self) -> Layout:
        return Layout(self.root / Layout().data)

    def metrics(self, name: str, stage: str) -> dict[str, Any]:
        return dict(read_json(self.root / METRICS / name / f"{stage}.json"))


def project(root: Path, params: Params) -> CampaignRecord:
    """Read a finished campaign.

    Args:
        root: Root of the repository.
        params: Parameters of the campaign.

    Raises:
        LodestoneError: If a metrics file is missing or damaged.
    """
    campaign = _Campaign(root, params)
    digest = _digest(campaign)
    snapshot = str(read_json(campaign.layout.provenance).get("content_hash", "unknown"))
    children = [run for name in campaign.names for run in (*_view_runs(campaign, name), _round_run(campaign, name))]
    return CampaignRecord(
        digest=digest,
        parent=_parent_run(campaign, digest),
        children=tuple(children),
        snapshot=snapshot,
        validation_set=_validation_set(campaign, snapshot),
    )


def _parent_run(campaign: _Campaign, digest: str) -> RunRecord:
    metrics = campaign.root / METRICS
    files = [path for path in sorted(metrics.glob("*.json")) if path.name != RECEIPT.name]
    points = [point for path in files for point in points_of({path.stem: read_json(path)})]
    for step, name in enumerate(campaign.names):
        for stage in ("ensemble", "active_learning"):
            points += points_of(campaign.metrics(name, stage), step)
    points += [point for owner, point in _timings(campaign) if owner == ()]
    report = campaign.root / REPORTS / "campaign.html"
    origins = (campaign.layout.provenance, campaign.layout.oracle)
    kept = tuple(path for path in (*files, *origins, report) if path.is_file())
    settings = flatten(campaign.params.model_dump(mode="json", by_alias=True))
    public = {key: public_address(value) if isinstance(value, str) else value for key, value in settings}
    return RunRecord(f"campaign-{digest[:8]}", public, points, kept)


def _validation_set(campaign: _Campaign, snapshot: str) -> str:
    oracle = read_json(campaign.layout.oracle)
    labels = [oracle.get(key) for key in ("name", "settings", "versions")]  # without its description of itself
    split = campaign.params.split.model_dump(mode="json")
    basis = [snapshot, campaign.params.seed, split, labels]
    return hashlib.sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()


def _view_runs(campaign: _Campaign, name: str) -> Iterator[RunRecord]:
    for view in campaign.params.views:
        history = campaign.layout.round(name).history(view)
        points = [*_curves(history), *(point for owner, point in _timings(campaign) if owner == (name, view))]
        settings = dict(flatten(campaign.params.view(view).model_dump(mode="json")))
        files = (history,) if history.is_file() else ()
        yield RunRecord(f"{name}/{view}", {"round": name, "view": view, **settings}, points, files)


def _round_run(campaign: _Campaign, name: str) -> RunRecord:
    ensemble, learning = campaign.metrics(name, "ensemble"), campaign.metrics(name, "active_learning")
    points = points_of(ensemble) + points_of(learning)
    points += [point for owner, point in _timings(campaign) if owner == (name,)]
    settings = campaign.params.rounds[name].model_dump(mode="json")
    mae = float(ensemble["validation"]["ensemble"]["mae"])
    return RunRecord(name, {"round": name, **settings}, points, (), campaign.layout.round(name), mae)


def _curves(path: Path) -> Iterator[Point]:
    if not path.is_file():
        return
    with path.open(newline="") as lines:
        for row in csv.DictReader(lines):
            for key in _CURVES:
                value = float(row.get(key) or "nan")
                if math.isfinite(value):
                    yield Point(f"{key}.member_{row['member']}", value, int(row["epoch"]))


def _timings(campaign: _Campaign) -> Iterator[tuple[tuple[str, ...], Point]]:
    """Wall-clock figures and the run they belong to: ``(round, view)``, ``(round,)``, or ``()`` for the campaign."""
    for path in sorted((campaign.root / TIMINGS).glob("*.json")):
        stage, *arguments = path.stem.split("-")
        rounds = [argument for argument in arguments if argument in campaign.names][:1]
        views = [argument for argument in arguments if argument in campaign.params.views][:1]
        prefix = {"timings": {stage: read_json(path)}}
        yield from (((*rounds, *(views if rounds else ())), point) for point in points_of(prefix))


def _digest(campaign: _Campaign) -> str:
    """Hash of parameters, metrics, report and every file of the rounds; ``dvc.lock`` is written too late to be used."""
    digest = hashlib.sha256(campaign.params.model_dump_json().encode())
    for path in sorted(_content(campaign)):
        digest.update(f"\0{path.relative_to(campaign.root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _content(campaign: _Campaign) -> Iterable[Path]:
    metrics = campaign.root / METRICS
    folders = [campaign.layout.round(name).folder for name in campaign.names]
    folders += [metrics / name for name in campaign.names]
    inside = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    origins = [campaign.layout.provenance, campaign.layout.oracle]
    single = [*metrics.glob("*.json"), *origins, campaign.root / REPORTS / "campaign.html"]
    return {path for path in (*inside, *single) if path.is_file() and path.name[0] != "." and path.name != RECEIPT.name}
