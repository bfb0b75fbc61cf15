"""Where every file of a campaign lies, relative to the root of the repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

REFERENCE_FILE = Path("reference/crystals.parquet")
REPORTS = Path("reports")
METRICS = Path("metrics")
TIMINGS = Path("timings")


@dataclass(frozen=True)
class Layout:
    """Files of the stages before the rounds, and after them.

    Attributes:
        data: Folder of the campaign's data.
    """

    data: Path = Path("data")

    snapshot = property(lambda self: self.data / "snapshot" / "crystals.parquet")
    provenance = property(lambda self: self.data / "snapshot" / "provenance.json")
    validated = property(lambda self: self.data / "validated" / "crystals.parquet")
    quarantine = property(lambda self: self.data / "validated" / "quarantine.parquet")
    labelled = property(lambda self: self.data / "labelled" / "crystals.parquet")
    references = property(lambda self: self.data / "labelled" / "references.parquet")
    label_rejections = property(lambda self: self.data / "labelled" / "rejections.parquet")
    rounds = property(lambda self: self.data / "rounds")

    def round(self, name: str) -> RoundLayout:
        """Files of one round."""
        return RoundLayout(self.rounds / name)


@dataclass(frozen=True)
class RoundLayout:
    """Files of one round.

    Attributes:
        folder: ``data/rounds/round_k``.
    """

    folder: Path

    crystals = property(lambda self: self.folder / "crystals.parquet")
    attempts = property(lambda self: self.folder / "attempts.parquet")
    warm_start = property(lambda self: self.folder / "warm_start")
    ensemble = property(lambda self: self.folder / "ensemble.json")
    out_of_distribution = property(lambda self: self.folder / "out_of_distribution.safetensors")
    predictions = property(lambda self: self.folder / "predictions.parquet")
    candidates = property(lambda self: self.folder / "candidates.parquet")
    verifications = property(lambda self: self.folder / "verifications.parquet")

    @property
    def name(self) -> str:
        """Name of the round."""
        return self.folder.name

    def models(self, view: str) -> Path:
        """Folder with the networks of a view."""
        return self.folder / "models" / view

    def member_predictions(self, view: str) -> Path:
        """Predictions of each member of a view."""
        return self.folder / f"predictions_{view}.parquet"

    def history(self, view: str) -> Path:
        """Learning curves of a view."""
        return self.folder / f"history_{view}.csv"
