"""The device that networks run on, and batches that fit its memory. Changes results by rounding only."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from lodestone.errors import LodestoneError
from lodestone.runtime.memory import is_out_of_memory

T = TypeVar("T")

DEVICE_VARIABLE = "LODESTONE_DEVICE"
COMPILE_VARIABLE = "LODESTONE_COMPILE"


def available_devices() -> list[str]:
    """Kinds of devices that this machine has, the fastest first."""
    has = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [name for name, present in has.items() if present]


def chosen_device(number: int = 0) -> torch.device:
    """The device named by ``$LODESTONE_DEVICE``: ``auto`` (the default: CUDA, then MPS, then CPU) or one by name.

    Args:
        number: Members and ranks are distributed over the GPUs by their number.

    Raises:
        LodestoneError: If there is no such device; lists those there are.
    """
    requested, available = os.environ.get(DEVICE_VARIABLE) or "auto", available_devices()
    if requested not in ("auto", *available):
        raise LodestoneError(
            f"{DEVICE_VARIABLE} is {requested!r}, which this machine or this build of torch does not have",
            f"set it to one of {', '.join(('auto', *available))}, or unset it",
        )
    kind = available[0] if requested == "auto" else requested
    return torch.device(kind, number % torch.cuda.device_count()) if kind == "cuda" else torch.device(kind)


def compiling() -> bool:
    """Whether ``$LODESTONE_COMPILE`` asks for ``torch.compile``; off by default (see docs/training.md)."""
    return os.environ.get(COMPILE_VARIABLE, "0") not in ("", "0")


class FittingBatches:
    """Splits batches into pieces that fit into the memory of the device, and remembers their size.

    Args:
        size: Crystals in a piece to begin with; halved as often as needed.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._warned = False

    def run(self, rows: Tensor, function: Callable[[Tensor], T], reset: Callable[[], None] | None = None) -> list[T]:
        """Apply a function to each piece of a batch; restarts with smaller pieces where memory runs out.

        Args:
            rows: The batch.
            function: Called with the rows of one piece.
            reset: Undoes what earlier pieces left behind, e.g. gradients; called before the first piece.

        Raises:
            LodestoneError: If not even one crystal fits.
        """
        while True:
            if reset is not None:
                reset()
            try:
                return [function(piece) for piece in rows.split(self.size) if len(piece)]
            except RuntimeError as error:
                self._shrink(len(rows), error)
            self._warn()  # out of the handler, whose traceback keeps the tensors of the failed attempt alive
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _shrink(self, n_rows: int, error: RuntimeError) -> None:
        if not is_out_of_memory(error):
            raise error
        if min(self.size, n_rows) == 1:
            raise LodestoneError(
                "the device has too little memory for a single crystal",
                f"choose another with {DEVICE_VARIABLE}, end what else runs there, or lower width or max_sites",
            ) from error
        self.size = math.ceil(min(self.size, n_rows) / 2)

    def _warn(self) -> None:
        if not self._warned:
            print_line("out of memory on the device: batches are worked through in smaller parts, to the same result")
        self._warned = True


def print_line(text: str) -> None:
    """Print one line to stderr without breaking progress bars."""
    from tqdm import tqdm

    tqdm.write(text, file=sys.stderr)
