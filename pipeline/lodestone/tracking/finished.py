"""Where the files of a finished campaign are, and the hashes that say which campaign it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lodestone.config.params import Params
from lodestone.config.rounds import round_names
from lodestone.tables.files import read_json
from lodestone.tables.layout import METRICS, REPORTS, Layout
from lodestone.tracking.records import RECEIPT


@dataclass(frozen=True)
class FinishedCampaign:
    """A finished campaign on disk.

    Attributes:
        root: Its folder.
        params: Its parameters.
    """

    root: Path
    params: Params

    @property
    def names(self) -> list[str]:
        """Rounds in the order of the chain."""
        return round_names(self.params.rounds)

    @property
    def layout(self) -> Layout:
        """Its files."""
        return Layout(self.root / Layout().data)

    @cached_property
    def snapshot(self) -> str:
        """Content hash of the snapshot, or ``unknown``."""
        return str(read_json(self.layout.provenance).get("content_hash", "unknown"))

    @cached_property
    def labels(self) -> str:
        """Whose energies were learned: the source's method and corrections, or the oracle with its settings."""
        if self.params.label.scale == "source":
            provenance = read_json(self.layout.provenance)
            return f"{provenance.get('label_method')}, {provenance.get('correction_scheme')}"
        oracle = read_json(self.layout.oracle)
        settings = json.dumps(oracle.get("settings"), sort_keys=True)
        return f"{oracle.get('name')} ({hashlib.sha256(settings.encode()).hexdigest()[:8]})"

    @cached_property
    def digest(self) -> str:
        """Hash of parameters, metrics, report and every file of the rounds; ``dvc.lock`` is written too late for it.

        Thresholds of promotion are no part of it: they change no result.
        """
        digest = hashlib.sha256(self.params.model_dump_json(exclude={"promotion"}).encode())
        for path in sorted(self._content()):
            digest.update(f"\0{path.relative_to(self.root).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def metrics(self, name: str, stage: str) -> dict[str, Any]:
        """Metrics of a stage of a round.

        Raises:
            LodestoneError: If they are missing or damaged.
        """
        return dict(read_json(self.root / METRICS / name / f"{stage}.json"))

    def _content(self) -> Iterable[Path]:
        metrics = self.root / METRICS
        folders = [self.layout.round(name).folder for name in self.names]
        folders += [metrics / name for name in self.names]
        inside = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        origins = [self.layout.provenance, self.layout.oracle]
        single = [*metrics.glob("*.json"), *origins, self.root / REPORTS / "campaign.html"]
        return {path for path in (*inside, *single) if path.is_file() and _counts(path)}


def _counts(path: Path) -> bool:
    return path.name[0] != "." and path.name != RECEIPT.name
