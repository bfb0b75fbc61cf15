"""Fit one member of an ensemble: crystals in, weights and learning curve out."""

from __future__ import annotations

import torch

from lodestone.models.devices import chosen_device, say
from lodestone.training.checkpoints import CheckpointFile, Scratch, digest_of
from lodestone.training.data import TrainingData
from lodestone.training.distributed import Ranks, ranks
from lodestone.training.progress_bar import report
from lodestone.training.tasks import FitResult, FitTask
from lodestone.training.trainer import Trainer


def fit_member(task: FitTask) -> FitResult:
    """Train one network, or go on where an earlier call with the same task was killed.

    Raises:
        LodestoneError: If the loss is not a number, or the device is not there or too small.
    """
    data, together = task.data.load(), ranks()
    device = chosen_device(together.local if together.size > 1 else task.member)
    trainer = Trainer(task, data, device, together)
    kept = _checkpoint_file(task, data, device, together)
    _resume(trainer, kept)
    while not trainer.done:
        trainer.run_epoch()
        if together.writes and (trainer.done or kept.is_due()):
            kept.save(trainer.state())
        _report(trainer)
    return FitResult(
        weights={name: value.detach().cpu().numpy() for name, value in trainer.weights().items()},
        history=trainer.history,
        seconds_per_step=trainer.seconds / trainer.steps,
        structures_per_second=len(data.train) * len(trainer.history) / trainer.seconds,
    )


def _checkpoint_file(task: FitTask, data: TrainingData, device: torch.device, together: Ranks) -> CheckpointFile:
    """Keyed by all that decides the bits of the result, the kind of device and the number of processes included."""
    scratch = task.scratch
    what = (task.view, task.member, task.seed, task.params.model_dump_json(), data.digest)
    digest = digest_of(task.start, what, device.type, together.size) if scratch else ""
    path = scratch.checkpoint(task.member) if scratch else None
    return CheckpointFile(path, digest, scratch.seconds if scratch else 0.0)


def _resume(trainer: Trainer, kept: CheckpointFile) -> None:
    checkpoint = trainer.ranks.from_first(kept.load() if trainer.ranks.writes else None)
    if checkpoint is not None:
        trainer.restore(checkpoint)
        if trainer.ranks.writes:
            task = trainer.task
            say(f"{task.view} member {task.member} goes on after epoch {len(trainer.history)}, from {kept.path}")
            _report(trainer)


def _report(trainer: Trainer) -> None:
    """Tell the progress bar; a fit that ends early has come to the end of its part of the bar."""
    scratch: Scratch | None = trainer.task.scratch
    if scratch is not None and trainer.ranks.writes:
        epoch = trainer.task.epochs if trainer.done else len(trainer.history)
        report(scratch.progress, trainer.task.member, epoch, trainer.history[-1]["validation_mae"])
