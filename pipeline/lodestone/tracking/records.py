"""A finished campaign as runs, computed from the artifacts without MLflow.

One parent run per campaign; below it one run per round and view (training) and one per round (ensemble and active
learning). Nothing is logged while stages run, because a cached stage runs no code.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lodestone.tables.layout import METRICS, RoundLayout

RECEIPT = METRICS / "tracking.json"


@dataclass(frozen=True)
class Point:
    """One value of a metric; ``step`` is an epoch, or the index of a round."""

    key: str
    value: float
    step: int = 0


@dataclass(frozen=True)
class DatasetRecord:
    """A set of crystals that a run learned from or was measured on.

    Attributes:
        name: Of the set, the same in all campaigns.
        context: What for: ``training``, ``validation`` or ``test``.
        digest: Hash of crystals and labels, at most 36 characters.
        n: Number of crystals.
        source: File or address.
    """

    name: str
    context: str
    digest: str
    n: int
    source: str


@dataclass(frozen=True)
class ModelRecord:
    """The ensemble of a round, as it is registered.

    Attributes:
        files: Files of the round.
        views: In order.
        validation_mae: eV/atom.
        card: What it is, in Markdown.
    """

    files: RoundLayout
    views: tuple[str, ...]
    validation_mae: float
    card: str


@dataclass(frozen=True)
class RunRecord:
    """One run.

    Attributes:
        name: Display name.
        params: Parameters by dotted name.
        points: Metrics, as ``group/name``; MLflow shows a group together.
        files: Files kept beside the run.
        datasets: What it learned from and was measured on.
        seconds: How long it took.
        note: Description, in Markdown.
        model: Ensemble that belongs to this run, if any.
    """

    name: str
    params: dict[str, Any]
    points: list[Point]
    files: tuple[Path, ...] = ()
    datasets: tuple[DatasetRecord, ...] = ()
    seconds: float = 0.0
    note: str = ""
    model: ModelRecord | None = None


@dataclass(frozen=True)
class CampaignRecord:
    """A campaign as runs.

    Attributes:
        digest: Hash of all results of the campaign; equal digests mean the same campaign.
        parent: The campaign's own run.
        children: Runs of the views and rounds, in the order of the chain.
        snapshot: Content hash of the snapshot, or ``unknown`` if its provenance has none.
        labels: Whose energies were learned, in words: equal for campaigns whose labels mean the same.
    """

    digest: str
    parent: RunRecord
    children: tuple[RunRecord, ...]
    snapshot: str
    labels: str

    @property
    def models(self) -> dict[str, ModelRecord]:
        """Ensembles by round."""
        return {child.name: child.model for child in self.children if child.model is not None}

    def receipt(self) -> dict[str, Any]:
        """What was published, without run ids or times."""
        return {
            "digest": self.digest,
            "run": self.parent.name,
            "children": [child.name for child in self.children],
            "model_versions": len(self.models),
        }


def flatten(content: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested mappings by dotted name; lists are leaves."""
    if not isinstance(content, Mapping):
        yield prefix, content
        return
    for key, value in content.items():
        yield from flatten(value, f"{prefix}.{key}" if prefix else str(key))


def points_of(content: Mapping[str, Any], group: str = "", step: int = 0) -> list[Point]:
    """The finite numbers in nested mappings; text, nulls and lists are left out.

    Args:
        content: Numbers by name.
        group: Under which MLflow shows them together; without one, the outermost names are the groups.
        step: Of all of them.
    """
    if not group:
        return [point for name, inner in content.items() for point in points_of(inner, name, step)]
    leaves = ((key, value) for key, value in flatten(content) if isinstance(value, int | float))
    return [Point(f"{group}/{key}", float(value), step) for key, value in leaves if math.isfinite(value)]
