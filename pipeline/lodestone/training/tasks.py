"""Input and result of fitting one member of an ensemble."""

from __future__ import annotations

from dataclasses import dataclass

from lodestone.config.sections import GeometryParams, ViewParams
from lodestone.models.weights import Weights
from lodestone.training.checkpoints import Scratch
from lodestone.training.data import TrainingData
from lodestone.training.shared import SharedData


@dataclass(frozen=True)
class FitTask:
    """Everything needed to fit one member, picklable.

    Attributes:
        view: Name of the view.
        params: Parameters of the view.
        member: Number of the member.
        seed: Its own seed.
        data: Training and validation data, or the file that holds them.
        start: Weights to fine-tune, or ``None`` to start afresh.
        scratch: Where checkpoints and progress are written; ``None`` writes neither.
    """

    view: str
    params: ViewParams
    member: int
    seed: int
    data: TrainingData | SharedData
    start: Weights | None = None
    scratch: Scratch | None = None

    @property
    def epochs(self) -> int:
        """Largest number of epochs."""
        return self.params.epochs if self.start is None else self.params.fine_tune_epochs

    @property
    def rate_key(self) -> str:
        """Parameter that holds the highest learning rate."""
        return "learning_rate" if self.start is None else "fine_tune_learning_rate"

    @property
    def unrelaxed(self) -> float:
        """Share of the crystals that are replaced by unrelaxed structures."""
        return self.params.unrelaxed if isinstance(self.params, GeometryParams) else 0.0

    @property
    def learning_rate(self) -> float:
        """Highest learning rate."""
        return float(getattr(self.params, self.rate_key))


@dataclass(frozen=True)
class FitResult:
    """A fitted member.

    Attributes:
        weights: Averaged weights, by name.
        history: One row per epoch: epoch, learning rate, train and validation MAE in eV/atom; the latter on relaxed
            crystals, and on unrelaxed structures if the view learns from such.
        seconds_per_step: Wall-clock per optimizer step; kept out of versioned files.
        structures_per_second: Training throughput; likewise.
    """

    weights: Weights
    history: list[dict[str, float]]
    seconds_per_step: float
    structures_per_second: float
