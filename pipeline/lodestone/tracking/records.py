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
_CURVES = ("train_mae", "validation_mae", "validation_mae_unrelaxed", "learning_rate")


@dataclass(frozen=True)
class Point:
    """One value of a metric; ``step`` is an epoch, or the index of a round."""

    key: str
    value: float
    step: int = 0


@dataclass(frozen=True)
class RunRecord:
    """One run.

    Attributes:
        name: Display name.
        params: Parameters by dotted name.
        points: Metrics.
        files: Files kept beside the run.
        model_of: Round whose ensemble belongs to this run, if any.
        validation_mae: Of that ensemble, eV/atom.
    """

    name: str
    params: dict[str, Any]
    points: list[Point]
    files: tuple[Path, ...] = ()
    model_of: RoundLayout | None = None
    validation_mae: float | None = None


@dataclass(frozen=True)
class CampaignRecord:
    """A campaign as runs.

    Attributes:
        digest: Hash of all results of the campaign; equal digests mean the same campaign.
        parent: The campaign's own run.
        children: Runs of the views and rounds, in the order of the chain.
        snapshot: Content hash of the snapshot, or ``unknown`` if its provenance has none.
        validation_set: Hash of what determines the validation crystals and their labels: snapshot, seed, split, and the
            oracle with its settings and the versions of its packages. Errors are comparable only where it is equal.
    """

    digest: str
    parent: RunRecord
    children: tuple[RunRecord, ...]
    snapshot: str
    validation_set: str

    def receipt(self) -> dict[str, Any]:
        """What was published, without run ids or times."""
        models = [child for child in self.children if child.model_of is not None]
        return {
            "digest": self.digest,
            "run": self.parent.name,
            "children": [child.name for child in self.children],
            "model_versions": len(models),
        }


def flatten(content: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested mappings by dotted name; lists are leaves."""
    if not isinstance(content, Mapping):
        yield prefix, content
        return
    for key, value in content.items():
        yield from flatten(value, f"{prefix}.{key}" if prefix else str(key))


def points_of(content: Mapping[str, Any], step: int = 0) -> list[Point]:
    """The finite numbers in nested mappings; text, nulls and lists are left out."""
    leaves = ((key, float(value)) for key, value in flatten(content) if isinstance(value, int | float))
    return [Point(key, value, step) for key, value in leaves if math.isfinite(value)]
