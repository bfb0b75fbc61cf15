"""Fit one member of an ensemble: crystals in, weights and learning curve out."""

from __future__ import annotations

import torch

from lodestone.models.devices import chosen_device, print_line
from lodestone.training.checkpoints import CheckpointFile, Scratch, digest_of
from lodestone.training.data import TrainingData
from lodestone.training.distributed import Ranks, ranks
from lodestone.training.progress_bar import report
from lodestone.training.tasks import FitResult, FitTask
from lodestone.training.trainer import Trainer


def fit_member(task: FitTask) -> FitResult:
    """Train one network, or resume where an earlier call with the same task was killed.

    Raises:
        LodestoneError: If the loss is not a number, or the device is missing or too small.
    """
    data, process = task.data.load(), ranks()
    device = chosen_device(process.local if process.size > 1 else task.member)
    trainer = Trainer(task, data, device, process)
    file = _checkpoint_file(task, data, device, process)
    _resume(trainer, file)
    while not trainer.done:
        trainer.run_epoch()
        if process.writes and (trainer.done or file.is_due()):
            file.save(trainer.state())
        _report(trainer)
    return FitResult(
        weights={name: value.detach().cpu().numpy() for name, value in trainer.weights().items()},
        history=trainer.history,
        seconds_per_step=trainer.seconds / trainer.steps,
        structures_per_second=len(data.train) * len(trainer.history) / trainer.seconds,
    )


def _checkpoint_file(task: FitTask, data: TrainingData, device: torch.device, process: Ranks) -> CheckpointFile:
    """Keyed by everything that decides the bits of the result, including the kind of device and number of processes."""
    scratch = task.scratch
    settings = (task.view, task.member, task.seed, task.params.model_dump_json(), data.digest)
    digest = digest_of(task.start, settings, device.type, process.size) if scratch else ""
    path = scratch.checkpoint(task.member) if scratch else None
    return CheckpointFile(path, digest, scratch.seconds if scratch else 0.0)


def _resume(trainer: Trainer, file: CheckpointFile) -> None:
    checkpoint = trainer.ranks.from_first(file.load() if trainer.ranks.writes else None)
    if checkpoint is not None:
        trainer.restore(checkpoint)
        if trainer.ranks.writes:
            task = trainer.task
            print_line(f"{task.view} member {task.member} goes on after epoch {len(trainer.history)}, from {file.path}")
            _report(trainer)


def _report(trainer: Trainer) -> None:
    """Update the progress bar; a fit that ends early counts as complete."""
    scratch: Scratch | None = trainer.task.scratch
    if scratch is not None and trainer.ranks.writes:
        epoch = trainer.task.epochs if trainer.done else len(trainer.history)
        report(scratch.progress, trainer.task.member, epoch, trainer.history[-1]["validation_mae"])
