"""Fit one member of an ensemble: crystals in, weights and learning curve out."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.crystals.crystal import Crystal
from pipeline.errors import LodestoneError
from pipeline.learning.baseline import ElementBaseline
from pipeline.learning.networks import Dataset, evaluate, make_dataset, make_network
from pipeline.params import ViewParams
from pipeline.stability.compositions import atomic_fractions

Weights = dict[str, np.ndarray]

_WARM_UP = 0.1
_EMA_DECAY = 0.99
_CLIP = 1.0


@dataclass(frozen=True)
class LabelledCrystals:
    """Crystals and their formation energies, shape ``(n,)``, eV/atom."""

    crystals: Sequence[Crystal]
    energies: np.ndarray


@dataclass(frozen=True)
class FitTask:
    """Everything needed to fit one member, picklable.

    Attributes:
        view: ``composition`` or ``structure``.
        params: Parameters of the view.
        member: Number of the member.
        seed: Its own seed.
        train: What to learn from.
        validation: Watched, never learned from.
        baseline: Linear part, fixed before the fit.
        start: Weights to fine-tune, or ``None`` to start afresh.
    """

    view: str
    params: ViewParams
    member: int
    seed: int
    train: LabelledCrystals
    validation: LabelledCrystals
    baseline: ElementBaseline
    start: Weights | None


@dataclass(frozen=True)
class FitResult:
    """A fitted member.

    Attributes:
        weights: Averaged weights, by name.
        history: One row per epoch: epoch, learning rate, train and validation MAE in eV/atom.
        seconds_per_step: Wall-clock per optimiser step; kept out of versioned files.
        structures_per_second: Training throughput; likewise.
    """

    weights: Weights
    history: list[dict[str, float]]
    seconds_per_step: float
    structures_per_second: float


def fit_member(task: FitTask) -> FitResult:
    """Train one network with AdamW, a cosine schedule with warm-up, and an average of its weights.

    Raises:
        LodestoneError: If the loss is not a number.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    trainer = _Trainer(task, device)
    train = make_dataset(task.view, task.train.crystals, task.params)
    validation = make_dataset(task.view, task.validation.crystals, task.params)
    target, known = (_standardised(part, task.baseline) for part in (task.train, task.validation))
    history = []
    for epoch in range(trainer.epochs):
        train_error = trainer.run_epoch(train, target)
        validation_error = float(np.abs(evaluate(trainer.averaged.module, validation, device) - known.numpy()).mean())
        _refuse_divergence(task, validation_error)  # the last step's weights have no training loss that would tell
        curve = {"train_mae": train_error, "validation_mae": validation_error}
        history.append(
            {"epoch": epoch + 1, "learning_rate": trainer.learning_rate}
            | {name: value * task.baseline.scale for name, value in curve.items()}
        )
    steps = trainer.epochs * trainer.steps_per_epoch
    return FitResult(
        {name: value.detach().cpu().numpy() for name, value in trainer.averaged.module.state_dict().items()},
        history,
        trainer.seconds / steps,
        len(train) * trainer.epochs / trainer.seconds,
    )


class _Trainer:
    """Network, optimiser and schedule of one fit."""

    def __init__(self, task: FitTask, device: torch.device) -> None:
        torch.manual_seed(task.seed)
        self.device, self.task = device, task
        self.network = make_network(task.view, task.params).to(device)
        if task.start is not None:
            self.network.load_state_dict({name: torch.from_numpy(value) for name, value in task.start.items()})
        fresh = task.start is None
        self.epochs = task.params.epochs if fresh else task.params.fine_tune_epochs
        rate = task.params.learning_rate if fresh else task.params.fine_tune_learning_rate
        self.steps_per_epoch = math.ceil(len(task.train.crystals) / task.params.batch_size)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=rate, weight_decay=task.params.weight_decay)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)
        average = torch.optim.swa_utils.get_ema_multi_avg_fn(_EMA_DECAY)
        self.averaged = torch.optim.swa_utils.AveragedModel(self.network, multi_avg_fn=average)
        self.generator = torch.Generator().manual_seed(task.seed)
        self.seconds = 0.0

    @property
    def learning_rate(self) -> float:
        """Rate of the next step."""
        return float(self.schedule.get_last_lr()[0])

    def run_epoch(self, dataset: Dataset, target: Tensor) -> float:
        """One pass over the training set; returns the mean absolute error of the standardised outputs."""
        began = time.perf_counter()
        self.network.train()
        order = torch.randperm(len(dataset), generator=self.generator)
        total = sum(self._step(dataset, target, rows) * len(rows) for rows in order.split(self.task.params.batch_size))
        self.seconds += time.perf_counter() - began
        return total / len(dataset)

    def _step(self, dataset: Dataset, target: Tensor, rows: Tensor) -> float:
        loss = nn.functional.l1_loss(self.network(dataset.batch(rows).to(self.device)), target[rows].to(self.device))
        value = float(loss.detach())
        _refuse_divergence(self.task, value)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
        self.optimizer.step()
        self.schedule.step()
        self.averaged.update_parameters(self.network)
        return value

    def _rate(self, step: int) -> float:
        total = self.epochs * self.steps_per_epoch
        warm_up = max(1, int(_WARM_UP * total))
        if step < warm_up:
            return (step + 1) / warm_up
        return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, total - warm_up)))


def _refuse_divergence(task: FitTask, loss: float) -> None:
    if not math.isfinite(loss):
        raise LodestoneError(
            f"training of {task.view} member {task.member} diverged: the loss is {loss}",
            f"lower {task.view}.learning_rate in params.yaml",
        )


def _standardised(part: LabelledCrystals, baseline: ElementBaseline) -> Tensor:
    fractions = atomic_fractions([crystal.atomic_numbers for crystal in part.crystals])
    return torch.from_numpy(baseline.standardise(fractions, part.energies)).float()
