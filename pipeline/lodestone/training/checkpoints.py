"""Checkpoints to resume training after a kill: everything that changes while a member is fitted, one file per member.

One safetensors file whose header holds the rest as JSON, so that a checkpoint is complete or absent, and reading one
runs no code. It lives outside DVC and is removed when the view is trained.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lodestone.models.devices import print_line
from lodestone.tables.files import write_atomically

CHECKPOINTS_VARIABLE = "LODESTONE_CHECKPOINTS"
CHECKPOINT_VERSION = 2
_HEADER = "lodestone_checkpoint"
_SECONDS = 60.0  # more often costs time, less often loses more after a kill


@dataclass(frozen=True)
class Checkpoint:
    """A fit between two epochs.

    Attributes:
        tensors: Weights, averaged weights, moments of the optimizer, states of the random generators, by name.
        facts: Step, history, best epoch so far and the like, as JSON values.
    """

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Scratch:
    """Files shared by the processes that train one view.

    Attributes:
        folder: Removed when the view is trained.
        seconds: A checkpoint is written at the end of an epoch if the last one is this old.
    """

    folder: Path
    seconds: float = _SECONDS

    @property
    def data(self) -> Path:
        """Training data, written once and read by every member."""
        return self.folder / "data.safetensors"

    @property
    def progress(self) -> Path:
        """Progress of each member."""
        return self.folder / "progress.jsonl"

    def checkpoint(self, member: int) -> Path:
        """Checkpoint of one member."""
        return self.folder / f"member_{member}.safetensors"

    def remove(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.folder, ignore_errors=True)


def scratch_of(view: str, seed: int, digest: str) -> Scratch:
    """Below ``$LODESTONE_CHECKPOINTS``, or ``.lodestone/checkpoints`` under the working directory.

    Each training has its own folder: the seed of a view differs between rounds, and the digest of the data between
    trainings with the same seed.
    """
    root = Path(os.environ.get(CHECKPOINTS_VARIABLE) or ".lodestone/checkpoints")
    return Scratch(root / f"{view}-{seed:08x}-{digest[:12]}")


@dataclass
class CheckpointFile:
    """The checkpoint of one fit.

    Attributes:
        path: The file; ``None`` keeps no checkpoint.
        digest: Hash of everything that decides the result of the fit; a checkpoint with another digest is not used.
        seconds: Least time between two checkpoints.
    """

    path: Path | None
    digest: str
    seconds: float = _SECONDS
    _last: float = field(default_factory=time.monotonic)

    def is_due(self) -> bool:
        """Whether it is time for the next checkpoint."""
        return self.path is not None and time.monotonic() - self._last >= self.seconds

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the file at once or not at all."""
        from safetensors.torch import save_file

        if self.path is not None:
            header = {"version": CHECKPOINT_VERSION, "digest": self.digest, "facts": checkpoint.facts}
            write_atomically(
                self.path,
                partial(save_file, dict(checkpoint.tensors), metadata={_HEADER: json.dumps(header, allow_nan=False)}),
            )
            self._last = time.monotonic()

    def load(self) -> Checkpoint | None:
        """The checkpoint, or ``None`` if this fit has none; prints why an existing one is not used."""
        if self.path is None or not self.path.is_file():
            return None
        try:
            header, tensors = _read(self.path)
        except Exception as error:  # any damage: training then starts afresh, which is slow but right
            print_line(f"{self.path} is no readable checkpoint ({error}): training starts afresh")
            return None
        if header["version"] != CHECKPOINT_VERSION or header["digest"] != self.digest:
            print_line(f"{self.path} belongs to other parameters, crystals or code: training starts afresh")
            return None
        return Checkpoint(tensors, header["facts"])


def digest_of(weights: Mapping[str, np.ndarray] | None, *facts: object) -> str:
    """Hash of start weights, of the text of the facts, and of the code and torch version that produce the result."""
    digest = hashlib.blake2b(repr((facts, torch.__version__, _code_digest())).encode(), digest_size=16)
    for name, value in sorted((weights or {}).items()):
        digest.update(name.encode() + value.tobytes())
    return digest.hexdigest()


@cache
def _code_digest() -> str:
    """Hash of the modules that define training; when they change, DVC trains again and must not resume."""
    root = Path(__file__).parents[1]
    files = sorted(
        path for room in ("crystals", "models", "substitution", "training") for path in (root / room).rglob("*.py")
    )
    return hashlib.blake2b(b"\0".join(path.read_bytes() for path in files), digest_size=16).hexdigest()


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        header = json.loads(file.metadata()[_HEADER])
        return {name: header[name] for name in ("version", "digest", "facts")}, {
            name: file.get_tensor(name)
            for name in file.keys()  # noqa: SIM118  # no mapping
        }
