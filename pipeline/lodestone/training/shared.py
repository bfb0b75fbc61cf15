"""Training data in one file, shared by the processes that train a view: safetensors, never a pickle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from lodestone.errors import LodestoneError
from lodestone.models.registry import dataset_class
from lodestone.tables.files import write_atomically
from lodestone.training.data import Examples, TrainingData, tensors_below


@dataclass(frozen=True)
class SharedData:
    """Training data in a file that :func:`share` has just written, for the processes of this run only.

    All of them read the same pages of memory, and none builds graphs or unpacks crystals of its own.

    Attributes:
        path: A safetensors file.
        digest: Of the data, see :class:`lodestone.training.data.TrainingData`.
    """

    path: Path
    digest: str

    def load(self) -> TrainingData:
        """Map the file into memory.

        Raises:
            LodestoneError: If the file holds other data, or cannot be read.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path, "pt") as file:
                facts = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
        except (OSError, SafetensorError) as error:
            raise LodestoneError(f"{self.path} cannot be read: {error}", "run the stage again") from error
        if facts.get("digest") != self.digest:
            raise LodestoneError(
                f"{self.path} holds other training data than was prepared for this fit",
                "let no other program write there: set LODESTONE_CHECKPOINTS to a folder of its own",
            )
        kind, scale = dataset_class(facts["view"]), float(tensors.pop("scale"))
        train, validation = (Examples.restored(kind, tensors_below(name, tensors)) for name in ("train", "validation"))
        return TrainingData(view=facts["view"], train=train, validation=validation, scale=scale, digest=self.digest)


def share(data: TrainingData, path: Path) -> SharedData:
    """Write the arrays to a file that other processes map into memory."""
    from safetensors.torch import save_file

    splits = {"train": data.train.tensors(), "validation": data.validation.tensors()}
    tensors = {f"{split}/{name}": value for split, arrays in splits.items() for name, value in arrays.items()}
    tensors["scale"] = torch.tensor(data.scale, dtype=torch.float64)
    write_atomically(path, partial(save_file, tensors, metadata={"digest": data.digest, "view": data.view}))
    return SharedData(path=path, digest=data.digest)
