"""Trains a network for a budget of seconds: optimizer, schedule, average of the weights, and the clock.

The clock is the CPU time of this process. With one thread that is what a wall clock shows on an idle core, and no model
suffers from what else the machine happens to do.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lodestone.crystals.compositions import atomic_fractions
from lodestone.errors import LodestoneError
from lodestone.models.baseline import ElementBaseline
from peers.learner import Curve, Learner, Prepared, Trained
from peers.settings import Training
from peers.split import Part

WARM_UP = 0.05
POINTS = 10
_FIRST_POINT = 0.1
_EVALUATION_BATCH = 256
_LOSSES = {"l1": nn.functional.l1_loss, "mse": nn.functional.mse_loss}

clock = time.process_time


def train_network(learner: Learner, training: Training, parts: dict[str, Part], seconds: float, seed: int) -> Trained:
    """Train for a budget of seconds; neither preparation nor evaluation counts towards it.

    Args:
        learner: The model.
        training: Its settings.
        parts: ``train``, ``validation`` and ``test``.
        seconds: Budget, CPU time.
        seed: Of weights and batches.

    Raises:
        LodestoneError: If the loss is not a number.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    inputs = {name: learner.translate(part.crystals) for name, part in parts.items()}
    began = clock()
    prepared = {name: learner.prepare(value) for name, value in inputs.items()}
    preparation = clock() - began
    del inputs
    curve = Curve(parts["validation"].energies, parts["test"].energies)
    marks = seconds * np.geomspace(_FIRST_POINT, 1.0, POINTS)
    sessions: list[_Session] = []
    members = training.members(seconds, len(prepared["train"].usable))
    for _ in range(members):
        sessions.append(_Session(learner, training, parts, prepared))
        _fit(sessions, seconds / members, curve, marks)
    seen, spent = (sum(getattr(session, name) for session in sessions) for name in ("seen", "seconds"))
    return Trained(
        curve,
        preparation,
        seen / len(prepared["train"].usable),
        seen / spent,
        sessions[-1].inference_per_second() / members,
        sum(p.numel() for session in sessions for p in session.network.parameters() if p.requires_grad),
        sum(part.size - len(part.usable) for part in prepared.values()),
    )


def _fit(sessions: list[_Session], budget: float, curve: Curve, marks: np.ndarray) -> None:
    """Train the last member, and note on the way what the mean of all of them predicts."""
    session, before = sessions[-1], sum(earlier.seconds for earlier in sessions[:-1])
    stream = _rows(session.prepared["train"].usable, session.training.batch_size)
    mark = _mark_after(marks, before)
    while session.seconds < budget:
        session.step(stream, budget)
        spent = before + session.seconds
        if spent >= mark or session.seconds >= budget:
            curve.add(spent, *_means(sessions))
            mark = _mark_after(marks, spent)
    session.best = session.best_predictions()


def _mark_after(marks: np.ndarray, spent: float) -> float:
    return float(min((mark for mark in marks if mark > spent), default=math.inf))


def _means(sessions: list[_Session]) -> tuple[np.ndarray, np.ndarray]:
    """Mean predictions for validation and test crystals, of the members that are ready, with or without the last one.

    Whichever validates better: what somebody who had to stop here would take.
    """
    found = [session.best or session.best_predictions() for session in sessions]
    groups = [found, found[:-1]] if len(found) > 1 else [found]
    means = [tuple(np.mean([predicted[part] for predicted in group], axis=0) for part in (0, 1)) for group in groups]
    true = sessions[0].parts["validation"].energies
    validation, test = min(means, key=lambda pair: float(np.abs(pair[0] - true).mean()))
    return validation, test


def rate_factor(progress: float) -> float:
    """Learning rate over its largest value, given the share of the budget that is used up."""
    if progress < WARM_UP:
        return max(progress, 1e-3) / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - WARM_UP) / (1 - WARM_UP))))


def _rows(usable: Tensor, batch_size: int) -> Iterator[Tensor]:
    """Shuffled batches for ever; a last one of a single crystal is left out, batch norms cannot use it."""
    while True:
        for rows in usable[torch.randperm(len(usable))].split(batch_size):
            if len(rows) > 1:
                yield rows


def _ema(decay: float, averages: Any, values: Any, updates: Any) -> None:
    """Exponential average that forgets its beginnings sooner: short runs would else be averages of no training."""
    n = int(updates)
    get_ema_multi_avg_fn(min(decay, (1 + n) / (10 + n)))(averages, values, updates)


class _Session:
    """Network, optimizer and average of one run."""

    def __init__(
        self, learner: Learner, training: Training, parts: dict[str, Part], prepared: dict[str, Prepared]
    ) -> None:
        self.learner, self.training, self.parts, self.prepared = learner, training, parts, prepared
        fractions = {name: _fractions(part) for name, part in parts.items()}
        self.baseline: ElementBaseline = learner.baseline(fractions["train"], parts["train"].energies)
        self.fractions = fractions
        self.targets = torch.from_numpy(self.baseline.standardize(fractions["train"], parts["train"].energies)).float()
        self.network = learner.network()
        self.averaged = AveragedModel(self.network, multi_avg_fn=partial(_ema, training.ema), use_buffers=True)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=training.rate, weight_decay=training.weight_decay, fused=True
        )
        self.seconds, self.seen = 0.0, 0
        self.best: tuple[np.ndarray, np.ndarray] | None = None  # predictions at the end

    def step(self, stream: Iterator[Tensor], budget: float) -> None:
        """One step of the optimizer, on the clock."""
        began = clock()
        self.network.train()
        rows = next(stream)
        for group in self.optimizer.param_groups:
            group["lr"] = self.training.rate * rate_factor(self.seconds / budget)
        outputs = self.learner.outputs(self.network, self.prepared["train"].batch(rows))
        loss = _LOSSES[self.training.loss](outputs, self.targets[rows])
        if not math.isfinite(loss.item()):
            raise LodestoneError(f"the loss is {loss.item()}", "lower its rate in benchmarks/peers/settings.py")
        self.optimizer.zero_grad()
        loss.backward()
        if self.training.clip is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.training.clip)
        self.optimizer.step()
        self.averaged.update_parameters(self.network)
        self.seen += len(rows)
        self.seconds += clock() - began

    def best_predictions(self) -> tuple[np.ndarray, np.ndarray]:
        """Predictions for validation and test crystals: of the weights or their average, whichever validates better."""
        validated = {network: self.predict(network, "validation") for network in (self.network, self.averaged.module)}
        true = self.parts["validation"].energies
        best = min(validated, key=lambda network: float(np.abs(validated[network] - true).mean()))
        return validated[best], self.predict(best, "test")

    @torch.no_grad()
    def predict(self, network: nn.Module, name: str) -> np.ndarray:
        """Energies of all crystals of a part, eV/atom."""
        network.eval()
        prepared = self.prepared[name]
        outputs = np.zeros(prepared.size)
        for rows in prepared.usable.split(_EVALUATION_BATCH):
            outputs[rows.numpy()] = self.learner.outputs(network, prepared.batch(rows)).double().numpy()
        return self.baseline.restore(self.fractions[name], outputs)

    def inference_per_second(self, repeats: int = 3) -> float:
        """Test structures a second, the best of a few."""
        times = []
        for _ in range(repeats):
            began = clock()
            self.predict(self.network, "test")
            times.append(clock() - began)
        return self.prepared["test"].size / min(times)


def _fractions(part: Part) -> np.ndarray:
    return atomic_fractions([crystal.atomic_numbers for crystal in part.crystals])
