"""Paths of all files of a campaign, relative to the root of the repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

REFERENCE_FILE = Path("reference/crystals.parquet")
REPORTS = Path("reports")
METRICS = Path("metrics")
TIMINGS = Path("timings")
UNPUBLISHED = TIMINGS / "unpublished.txt"  # there while a finished campaign waits for the MLflow store


@dataclass(frozen=True)
class Layout:
    """Files of the stages before the rounds, and after them.

    Attributes:
        data: Folder of the campaign's data.
    """

    data: Path = Path("data")

    @property
    def snapshot(self) -> Path:
        """Crystals of the snapshot, as given by their source."""
        return self.data / "snapshot" / "crystals.parquet"

    @property
    def provenance(self) -> Path:
        """Where the snapshot comes from."""
        return self.data / "snapshot" / "provenance.json"

    @property
    def validated(self) -> Path:
        """Crystals that passed validation."""
        return self.data / "validated" / "crystals.parquet"

    @property
    def quarantine(self) -> Path:
        """Crystals that failed validation."""
        return self.data / "validated" / "quarantine.parquet"

    @property
    def labelled(self) -> Path:
        """Crystals on the scale of the oracle."""
        return self.data / "labelled" / "crystals.parquet"

    @property
    def references(self) -> Path:
        """Elemental reference energies of the oracle."""
        return self.data / "labelled" / "references.parquet"

    @property
    def phases(self) -> Path:
        """Competing phases without structures."""
        return self.data / "labelled" / "phases.parquet"

    @property
    def difference(self) -> Path:
        """What the oracle's energies differ by from those of the snapshot."""
        return self.data / "labelled" / "difference.json"

    @property
    def oracle(self) -> Path:
        """The oracle that labelled: name, settings, versions and caveat."""
        return self.data / "labelled" / "oracle.json"

    @property
    def label_rejections(self) -> Path:
        """Crystals that got no label."""
        return self.data / "labelled" / "rejections.parquet"

    @property
    def opinions(self) -> Path:
        """What further oracles say of the discoveries."""
        return self.data / "opinions.json"

    @property
    def phonons(self) -> Path:
        """Whether the discoveries are dynamically stable."""
        return self.data / "phonons.json"

    @property
    def rounds(self) -> Path:
        """Folder of the rounds."""
        return self.data / "rounds"

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

    @property
    def crystals(self) -> Path:
        """Crystals known when the round starts."""
        return self.folder / "crystals.parquet"

    @property
    def attempts(self) -> Path:
        """Verifications of earlier rounds, by the key of their candidate."""
        return self.folder / "attempts.parquet"

    @property
    def warm_start(self) -> Path:
        """Networks that training starts from."""
        return self.folder / "warm_start"

    @property
    def ensemble(self) -> Path:
        """How the views are combined, and calibrated."""
        return self.folder / "ensemble.json"

    @property
    def out_of_distribution(self) -> Path:
        """What the networks have seen."""
        return self.folder / "out_of_distribution.safetensors"

    @property
    def predictions(self) -> Path:
        """Predictions for the held-out crystals."""
        return self.folder / "predictions.parquet"

    @property
    def candidates(self) -> Path:
        """Screened candidates."""
        return self.folder / "candidates.parquet"

    @property
    def verifications(self) -> Path:
        """The oracle's results for the chosen candidates."""
        return self.folder / "verifications.parquet"

    @property
    def name(self) -> str:
        """Name of the round."""
        return self.folder.name

    def models(self, view: str) -> Path:
        """Folder with the networks of a view."""
        return self.folder / "models" / view

    def member_predictions(self, view: str) -> Path:
        """Predictions of each member of a view."""
        return self.folder / "predictions" / f"{view}.parquet"

    def history(self, view: str) -> Path:
        """Learning curves of a view."""
        return self.folder / "history" / f"{view}.csv"
