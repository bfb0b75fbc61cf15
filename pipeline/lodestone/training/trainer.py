"""The state of one fit and how it advances: a step on a batch, and an epoch over all batches."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lodestone.errors import LodestoneError
from lodestone.models.devices import FittingBatches, compiling
from lodestone.models.inference import in_batches
from lodestone.models.registry import make_network
from lodestone.training.checkpoints import Checkpoint
from lodestone.training.data import Examples, TrainingData
from lodestone.training.distributed import Ranks
from lodestone.training.optimizers import optimizers_of
from lodestone.training.tasks import FitTask

_WARM_UP = 0.1
_AVERAGED = 0.05  # share of all steps over which the weights are averaged
_FEWEST_AVERAGED = 20  # steps
_CLIP = 1.0
_WATCHED = 2_000  # validation crystals


class Trainer:
    """Network, averaged weights, optimizer, schedule, random numbers and history of one fit.

    Muon for matrices and AdamW for all else, a cosine schedule with warm-up, clipped gradients, and an exponential
    average of the weights, which is validated and kept.

    Args:
        task: What to fit.
        data: Its training data.
        device: Where to compute.
        ranks: This process among those that share the batches.
    """

    def __init__(self, task: FitTask, data: TrainingData, device: torch.device, ranks: Ranks) -> None:
        torch.manual_seed(task.seed)
        self.task, self.data, self.device, self.ranks = task, data, device, ranks
        self.network = make_network(task.view, task.params)
        if task.start is not None:
            self.network.load_state_dict({name: torch.from_numpy(value) for name, value in task.start.items()})
        self.network.to(device)
        self.averaged = copy.deepcopy(self.network)
        looks_back = max(_FEWEST_AVERAGED, _AVERAGED * self._total_steps)
        self._average = torch.optim.swa_utils.get_ema_multi_avg_fn(1 - 1 / looks_back)
        # lists, since walking the trees of modules takes a tenth of a step
        self.parameters, self._averages = list(self.network.parameters()), list(self.averaged.parameters())
        self.optimizers = optimizers_of(self.network, task.params.weight_decay)
        if compiling():
            self.network.compile(dynamic=True)
        self.generator = torch.Generator().manual_seed(task.seed)
        self.memory = FittingBatches(task.params.batch_size)
        self.steps, self.seconds = 0, 0.0
        self.history: list[dict[str, float]] = []
        self.best: dict[str, Tensor] = {}  # only kept where patience asks for it

    @property
    def learning_rate(self) -> float:
        """Rate of the next step."""
        return self.task.learning_rate * rate_factor(self.steps, self._total_steps)

    @property
    def _total_steps(self) -> int:
        return self.task.epochs * math.ceil(len(self.data.train) / self.task.params.batch_size)

    @property
    def done(self) -> bool:
        """Whether all epochs have run, or too many have passed without a better validation error."""
        patience, since = self.task.params.patience, len(self.history) - self._best_epoch()
        return len(self.history) >= self.task.epochs or (patience is not None and since >= patience)

    def weights(self) -> Mapping[str, Tensor]:
        """Averaged weights: the last ones, or with ``patience`` those of the best epoch."""
        weights: Mapping[str, Tensor] = self.averaged.state_dict()
        return self.best or weights

    def run_epoch(self) -> None:
        """One pass over the training set and one over the validation set.

        Raises:
            LodestoneError: If the loss is not a number.
        """
        began = time.perf_counter()
        train_error = self._train()
        self.seconds += time.perf_counter() - began
        validation_errors = self._validate()
        for error in (train_error, *validation_errors.values()):  # only the validation errors see the last step
            self._refuse_divergence(error)
        self.history.append(
            {
                "epoch": len(self.history) + 1,
                "learning_rate": self.learning_rate,
                "train_mae": train_error * self.data.scale,
                **{name: error * self.data.scale for name, error in validation_errors.items()},
            }
        )
        if self.task.params.patience is not None and self._best_epoch() == len(self.history):
            self.best = {name: value.clone() for name, value in self.averaged.state_dict().items()}

    def state(self) -> Checkpoint:
        """Everything that later epochs depend on."""
        groups: dict[str, Mapping[str, Tensor]] = {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "best": self.best,
            "random": {"order": self.generator.get_state(), **_random_states(self.device)},
            **{
                f"{name}.{number}": moments
                for name, optimizer in self.optimizers.items()
                for number, moments in optimizer.state_dict()["state"].items()
            },
        }
        tensors = {
            f"{group}/{name}": _copied(value) for group, values in groups.items() for name, value in values.items()
        }
        return Checkpoint(tensors, {"steps": self.steps, "seconds": self.seconds, "history": [*self.history]})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue from a state of the same task."""
        groups: dict[str, dict[str, Tensor]] = {"best": {}}
        for name, value in checkpoint.tensors.items():
            group, _, rest = name.partition("/")
            groups.setdefault(group, {})[rest] = value
        self.network.load_state_dict(groups["network"])
        self.averaged.load_state_dict(groups["averaged"])
        for kind, optimizer in self.optimizers.items():
            moments = {int(group.split(".")[1]): groups[group] for group in groups if group.startswith(f"{kind}.")}
            optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
        self.best = groups["best"]
        self.generator.set_state(groups["random"]["order"])
        _set_random_states(groups["random"], self.device)
        facts: Mapping[str, Any] = checkpoint.facts
        self.steps, self.seconds, self.history = facts["steps"], facts["seconds"], list(facts["history"])

    def _train(self) -> float:
        """One pass over the training set; returns the mean absolute error of the standardized outputs."""
        self.network.train()
        order = torch.randperm(len(self.data.train), generator=self.generator)
        inputs = self.data.train.with_unrelaxed(order, self.task.unrelaxed, self.generator)
        batches = inputs.split(self.task.params.batch_size)
        losses = torch.stack([self.step(rows) for rows in batches]).cpu().double()  # read at once: the GPU never waits
        for average, current in zip(self.averaged.buffers(), self.network.buffers(), strict=True):
            average.copy_(current)
        return float((losses * torch.tensor([float(len(rows)) for rows in batches])).sum()) / len(order)

    def _validate(self) -> dict[str, float]:
        """Mean absolute errors of the averaged weights on at most 2,000 validation crystals, standardized.

        On relaxed crystals and, where there are any, on unrelaxed structures, which are what screening sees. More of
        them would take a tenth of the time of a fit, and change the error by less than fits of other seeds do.
        """
        known = self.data.validation
        seen = {"validation_mae": torch.arange(len(known)), "validation_mae_unrelaxed": known.unrelaxed_rows}
        return {name: self._mae(known, _watched(rows)) for name, rows in seen.items() if len(rows)}

    def _mae(self, examples: Examples, rows: Tensor) -> float:
        own = self.ranks.share(rows)
        outputs = in_batches(self.averaged.eval(), examples.dataset, self.device, rows=own)
        error = float(np.abs(outputs - examples.target[own].numpy()).sum())
        return self.ranks.sum(error, self.device) / len(rows)

    def step(self, rows: Tensor) -> Tensor:
        """One optimizer step on a batch, in as many pieces as memory needs; returns its mean absolute error."""
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate

        def backward(piece: Tensor) -> Tensor:
            loss = self._error(self.data.train, piece) / len(rows)
            loss.backward()
            return loss.detach()

        losses = self.memory.run(self.ranks.share(rows), backward, self._zero_grad)
        loss = sum(losses, start=torch.zeros((), device=self.device))
        loss = self.ranks.sum_gradients(self.parameters, loss)
        nn.utils.clip_grad_norm_(self.parameters, _CLIP)
        for optimizer in self.optimizers.values():
            optimizer.step()
        self._update_average()
        self.steps += 1
        return loss

    def _update_average(self) -> None:
        """As ``torch.optim.swa_utils.AveragedModel``, which walks over both networks at each step."""
        if self.steps == 0:
            self.averaged.load_state_dict(self.network.state_dict())
        else:
            self._average(self._averages, self.parameters, None)

    def _zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    def _error(self, examples: Examples, rows: Tensor) -> Tensor:
        """Sum of absolute errors over some rows."""
        half = self.task.params.precision == "bfloat16"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=half):
            outputs = self.network(examples.dataset.batch(rows).to(self.device))
        return nn.functional.l1_loss(outputs.float(), examples.target[rows].to(self.device), reduction="sum")

    def _best_epoch(self) -> int:
        """Number of the epoch with the least validation error, the first of equals; 0 before the first."""
        return min(((self._judged(row), int(row["epoch"])) for row in self.history), default=(0.0, 0))[1]

    def _judged(self, row: Mapping[str, float]) -> float:
        """Validation error, weighted by the share of unrelaxed structures in training; eV/atom."""
        relaxed, share = row["validation_mae"], self.task.unrelaxed
        unrelaxed = row.get("validation_mae_unrelaxed", relaxed)
        return relaxed if unrelaxed == relaxed else (1 - share) * relaxed + share * unrelaxed

    def _refuse_divergence(self, error: float) -> None:
        view, key = self.task.view, self.task.rate_key
        if not math.isfinite(error):
            raise LodestoneError(
                f"training of {view} member {self.task.member} diverged in epoch {len(self.history) + 1} at "
                f"{key} {self.task.learning_rate:g}: the loss is {error}",
                f"lower {view}.{key} in params.yaml",
            )


def _watched(rows: Tensor) -> Tensor:
    """Some of the rows, evenly spaced, always the same."""
    places = torch.linspace(0, len(rows) - 1, min(_WATCHED, len(rows)), dtype=torch.float64)
    return rows[places.round().long()]


def rate_factor(step: int, total: int) -> float:
    """Share of the highest learning rate: linear warm-up over a tenth of the steps, then half a cosine down to 0."""
    warm_up = max(1, int(_WARM_UP * total))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, total - warm_up)))


def _copied(value: Tensor) -> Tensor:
    """A copy in main memory that shares nothing with other tensors."""
    return value.detach().to("cpu", copy=True).contiguous()


def _random_states(device: torch.device) -> dict[str, Tensor]:
    """States of the generators that networks with random layers would use."""
    cuda = {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {}
    return {"cpu": torch.get_rng_state(), **cuda}


def _set_random_states(states: Mapping[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
