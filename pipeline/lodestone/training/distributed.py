"""Data-parallel training: the processes of a launcher share every batch and take the same step.

`torchrun --nproc-per-node 2 stages/train.py VIEW ROUND`. The networks are so small that one sum over all gradients per
step costs little. Without `DistributedDataParallel`, ranks may split their share of a batch into different numbers of
pieces when memory runs out, and weights keep their names.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from lodestone.models.devices import chosen_device

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """This process among those of the launcher.

    Attributes:
        rank: Its number; number 0 writes.
        size: Number of processes.
        local: Its number on this machine.
    """

    rank: int = 0
    size: int = 1
    local: int = 0

    @property
    def writes(self) -> bool:
        """Whether this process is the one that writes files and draws progress bars."""
        return self.rank == 0

    def share(self, rows: Tensor) -> Tensor:
        """This process's share of a batch: every ``size``-th row; empty where there are fewer rows than processes."""
        return rows[self.rank :: self.size]

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter], loss: Tensor) -> Tensor:
        """Replace each gradient by its sum over all processes; returns the sum of the losses."""
        if self.size == 1:
            return loss
        weights = list(parameters)
        gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
        flat = torch.cat([loss.reshape(1), *(gradient.reshape(-1) for gradient in gradients)])
        distributed.all_reduce(flat)
        pieces = flat[1:].split([gradient.numel() for gradient in gradients])
        for weight, gradient, piece in zip(weights, gradients, pieces, strict=True):
            weight.grad = piece.view_as(gradient).clone()
        return flat[0]

    def sum(self, value: float, device: torch.device) -> float:
        """Sum of a number over all processes, the same bits in each."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=device)
        distributed.all_reduce(total)
        return float(total)

    def from_first(self, value: T) -> T:
        """The value of process 0, in every process."""
        if self.size == 1:
            return value
        values: list[Any] = [value if self.writes else None]
        distributed.broadcast_object_list(values)
        received: T = values[0]
        return received


def ranks() -> Ranks:
    """This process among those of the launcher; alone outside :func:`process_group`."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return Ranks()
    return Ranks(distributed.get_rank(), distributed.get_world_size(), int(os.environ.get("LOCAL_RANK", "0")))


@contextmanager
def process_group() -> Iterator[Ranks]:
    """Join the processes of a launcher such as torchrun (``WORLD_SIZE`` > 1); does nothing without one."""
    if int(os.environ.get("WORLD_SIZE") or 1) == 1:
        yield Ranks()
        return
    device = chosen_device(int(os.environ.get("LOCAL_RANK", "0")))
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield ranks()
        distributed.barrier()  # no process leaves while another needs it, e.g. process 0, which writes
    finally:
        distributed.destroy_process_group()
