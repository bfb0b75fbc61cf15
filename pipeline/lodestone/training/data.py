"""What all members of a view learn from, prepared once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lodestone.config.sections import ViewParams
from lodestone.crystals.compositions import atomic_fractions
from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.models.base import ViewDataset
from lodestone.models.baseline import ElementBaseline
from lodestone.models.registry import make_dataset


@dataclass(frozen=True)
class LabelledCrystals:
    """Crystals with labels.

    Attributes:
        crystals: Relaxed.
        energies: Their formation energies, shape ``(n,)``, eV/atom.
        unrelaxed_structures: Each of them as it would be guessed, or ``None``; may be left out.
    """

    crystals: Sequence[Crystal]
    energies: np.ndarray
    unrelaxed_structures: Sequence[Crystal | None] = ()

    def fractions(self) -> np.ndarray:
        """Atomic fractions, shape ``(n, N_ELEMENTS)``."""
        return atomic_fractions([crystal.atomic_numbers for crystal in self.crystals])


@dataclass(frozen=True)
class Examples:
    """A dataset and what a network should say of it.

    Attributes:
        dataset: Relaxed crystals, then unrelaxed structures.
        target: Standardized energies of all rows, float32.
        unrelaxed_structure: Row of the unrelaxed structure of each relaxed crystal, shape ``(n,)``; its own row where
            there is none.
    """

    dataset: ViewDataset
    target: Tensor
    unrelaxed_structure: Tensor

    def __len__(self) -> int:
        return len(self.unrelaxed_structure)

    @property
    def unrelaxed_rows(self) -> Tensor:
        """Rows of all unrelaxed structures."""
        return torch.arange(len(self), len(self.target))

    def tensors(self) -> dict[str, Tensor]:
        """All that it holds, by name."""
        own = {"target": self.target, "unrelaxed_structure": self.unrelaxed_structure}
        return own | {f"dataset/{name}": value for name, value in self.dataset.tensors().items()}

    @classmethod
    def restored(cls, kind: type[ViewDataset], tensors: Mapping[str, Tensor]) -> Examples:
        """What :meth:`tensors` gave, with a dataset of some kind."""
        return cls(
            dataset=kind.restored(tensors_below("dataset", tensors)),
            target=tensors["target"],
            unrelaxed_structure=tensors["unrelaxed_structure"],
        )

    def shown(self, rows: Tensor, share: float, generator: torch.Generator) -> Tensor:
        """Rows of relaxed crystals, a share of them, drawn anew at each call, replaced by the unrelaxed structures."""
        if share == 0:
            return rows
        unrelaxed_structure = torch.rand(len(rows), generator=generator) < share
        return torch.where(unrelaxed_structure, self.unrelaxed_structure[rows], rows)


@dataclass(frozen=True)
class TrainingData:
    """Datasets and targets of one view.

    Attributes:
        view: Name of the view.
        train: What to learn from.
        validation: Watched, never learned from.
        scale: From standardized errors to eV/atom.
        digest: Content hash of view, parameters, crystals, labels and baseline.
    """

    view: str
    train: Examples
    validation: Examples
    scale: float
    digest: str

    @classmethod
    def prepare(
        cls,
        view: str,
        params: ViewParams,
        train: LabelledCrystals,
        validation: LabelledCrystals,
        baseline: ElementBaseline,
    ) -> TrainingData:
        """Build the datasets of a view.

        Raises:
            LodestoneError: If a part is empty, or a label is no number.
        """
        for name, part in (("train", train), ("validation", validation)):
            _refuse_unusable(name, part)
        return cls(
            view=view,
            train=_examples(view, params, train, baseline),
            validation=_examples(view, params, validation, baseline),
            scale=baseline.scale,
            digest=_digest(view, params, (train, validation), baseline),
        )

    def load(self) -> TrainingData:
        """Itself; see :meth:`lodestone.training.shared.SharedData.load`."""
        return self


def tensors_below(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a part, by their names within it."""
    return {name.removeprefix(f"{part}/"): value for name, value in tensors.items() if name.startswith(f"{part}/")}


def _examples(view: str, params: ViewParams, part: LabelledCrystals, baseline: ElementBaseline) -> Examples:
    rows = [row for row, crystal in enumerate(part.unrelaxed_structures) if crystal is not None]
    known, n = np.array(rows, dtype=np.intp), len(part.crystals)
    unrelaxed_structure = np.arange(n)
    unrelaxed_structure[known] = n + np.arange(len(known))
    crystals = [*part.crystals, *(crystal for crystal in part.unrelaxed_structures if crystal is not None)]
    target = baseline.standardize(part.fractions(), part.energies)
    return Examples(
        dataset=make_dataset(view, crystals, params, [row >= n for row in range(len(crystals))]),
        target=torch.from_numpy(np.concatenate([target, target[known]])).float(),
        unrelaxed_structure=torch.from_numpy(unrelaxed_structure),
    )


def _refuse_unusable(name: str, part: LabelledCrystals) -> None:
    if not len(part.crystals):
        raise LodestoneError(
            f"no crystal is in the part {name!r} of the split",
            f"training needs at least one: change split.{'validation' if name == 'validation' else 'test'} in "
            "params.yaml, loosen snapshot.filters, or take a larger snapshot",
        )
    wrong = np.flatnonzero(~np.isfinite(part.energies))
    if len(wrong):
        crystal = "".join(part.crystals[wrong[0]].species)[:40]
        raise LodestoneError(
            f"the formation energy of {crystal} (row {wrong[0]} of the part {name!r}) is {part.energies[wrong[0]]}",
            "training needs finite labels: remove this crystal or correct its energy",
        )


def _digest(view: str, params: ViewParams, parts: Iterable[LabelledCrystals], baseline: ElementBaseline) -> str:
    digest = hashlib.blake2b(f"{view} {params.model_dump_json()}".encode(), digest_size=16)
    digest.update(baseline.coefficients.tobytes() + np.float64(baseline.scale).tobytes())
    for part in parts:
        crystals = [*part.crystals, *(crystal for crystal in part.unrelaxed_structures if crystal is not None)]
        digest.update("".join(crystal.digest() for crystal in crystals).encode())
        digest.update(np.asarray(part.energies, dtype=np.float64).tobytes())
    return digest.hexdigest()
