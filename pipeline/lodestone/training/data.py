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
from lodestone.models.datasets import PIECE, build_dataset
from lodestone.training.distributed import ranks


@dataclass(frozen=True)
class LabelledCrystals:
    """Crystals with labels.

    Attributes:
        crystals: Relaxed.
        energies: Their formation energies, shape ``(n,)``, eV/atom.
        unrelaxed_structures: The unrelaxed structure of each, as substitution would guess it, or ``None``; optional.
    """

    crystals: Sequence[Crystal]
    energies: np.ndarray
    unrelaxed_structures: Sequence[Crystal | None] = ()

    def fractions(self) -> np.ndarray:
        """Atomic fractions, shape ``(n, N_ELEMENTS)``."""
        return atomic_fractions([crystal.atomic_numbers for crystal in self.crystals])


@dataclass(frozen=True)
class Examples:
    """A dataset and the outputs a network should learn for it.

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
        """All its tensors, by name."""
        arrays = {"target": self.target, "unrelaxed_structure": self.unrelaxed_structure}
        return arrays | {f"dataset/{name}": value for name, value in self.dataset.tensors().items()}

    @classmethod
    def restored(cls, kind: type[ViewDataset], tensors: Mapping[str, Tensor]) -> Examples:
        """The inverse of :meth:`tensors`, for a class of datasets."""
        return cls(
            dataset=kind.restored(tensors_below("dataset", tensors)),
            target=tensors["target"],
            unrelaxed_structure=tensors["unrelaxed_structure"],
        )

    def subset(self, rows: Tensor) -> Examples:
        """Some of the relaxed crystals, with their unrelaxed structures."""
        other = self.unrelaxed_structure[rows]
        return self._chosen(rows, other)

    def joined(self, more: Examples) -> Examples:
        """The examples of both; of one view, with targets standardized alike."""
        both = Examples(
            dataset=type(self.dataset).joined([self.dataset, more.dataset]),
            target=torch.cat([self.target, more.target]),
            unrelaxed_structure=torch.empty(0),
        )
        start = len(self.target)
        rows = torch.cat([torch.arange(len(self)), start + torch.arange(len(more))])
        return both._chosen(rows, torch.cat([self.unrelaxed_structure, start + more.unrelaxed_structure]))

    def _chosen(self, rows: Tensor, unrelaxed: Tensor) -> Examples:
        """Relaxed crystals by their rows, and their unrelaxed structures by theirs, which may be the same."""
        has_other, n = unrelaxed != rows, len(rows)
        every, place = torch.cat([rows, unrelaxed[has_other]]), torch.arange(n)
        place[has_other] = n + torch.arange(int(has_other.sum()))
        return Examples(dataset=self.dataset.subset(every), target=self.target[every], unrelaxed_structure=place)

    def with_unrelaxed(self, rows: Tensor, share: float, generator: torch.Generator) -> Tensor:
        """Rows of relaxed crystals, with a random share of them replaced by the unrelaxed structures."""
        if share == 0:
            return rows
        replaced = torch.rand(len(rows), generator=generator) < share
        return torch.where(replaced, self.unrelaxed_structure[rows], rows)


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
            LodestoneError: If a split is empty, or a label is not finite.
        """
        for name, labelled in (("train", train), ("validation", validation)):
            _refuse_unusable(name, labelled)
        return cls(
            view=view,
            train=examples_of(view, params, train, baseline),
            validation=examples_of(view, params, validation, baseline),
            scale=baseline.scale,
            digest=_digest(view, params, (train, validation), baseline),
        )

    def load(self) -> TrainingData:
        """Itself; see :meth:`lodestone.training.shared.SharedData.load`."""
        return self


def tensors_below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names start with a prefix and a slash, by the rest of their names."""
    return {name.removeprefix(f"{prefix}/"): value for name, value in tensors.items() if name.startswith(f"{prefix}/")}


def examples_of(view: str, params: ViewParams, labelled: LabelledCrystals, baseline: ElementBaseline) -> Examples:
    """Crystals as a view sees them, and what its networks should say of them."""
    rows = [row for row, crystal in enumerate(labelled.unrelaxed_structures) if crystal is not None]
    known, n = np.array(rows, dtype=np.intp), len(labelled.crystals)
    unrelaxed_structure = np.arange(n)
    unrelaxed_structure[known] = n + np.arange(len(known))
    crystals = [*labelled.crystals, *(crystal for crystal in labelled.unrelaxed_structures if crystal is not None)]
    target = baseline.standardize(labelled.fractions(), labelled.energies)
    piece = PIECE if ranks().size == 1 else len(crystals)  # the processes of a launcher have the cores already
    return Examples(
        dataset=build_dataset(view, crystals, params, [row >= n for row in range(len(crystals))], piece=piece),
        target=torch.from_numpy(np.concatenate([target, target[known]])).float(),
        unrelaxed_structure=torch.from_numpy(unrelaxed_structure),
    )


def _refuse_unusable(name: str, labelled: LabelledCrystals) -> None:
    if not len(labelled.crystals):
        raise LodestoneError(
            f"no crystal is in the part {name!r} of the split",
            f"training needs at least one: change split.{'validation' if name == 'validation' else 'test'} in "
            "params.yaml, loosen snapshot.filters, or take a larger snapshot",
        )
    wrong = np.flatnonzero(~np.isfinite(labelled.energies))
    if len(wrong):
        crystal = "".join(labelled.crystals[wrong[0]].species)[:40]
        raise LodestoneError(
            f"the formation energy of {crystal} (row {wrong[0]} of the part {name!r}) is {labelled.energies[wrong[0]]}",
            "training needs finite labels: remove this crystal or correct its energy",
        )


def _digest(view: str, params: ViewParams, splits: Iterable[LabelledCrystals], baseline: ElementBaseline) -> str:
    digest = hashlib.blake2b(f"{view} {params.model_dump_json()}".encode(), digest_size=16)
    digest.update(baseline.coefficients.tobytes() + np.float64(baseline.scale).tobytes())
    for labelled in splits:
        crystals = [*labelled.crystals, *(crystal for crystal in labelled.unrelaxed_structures if crystal is not None)]
        digest.update("".join(crystal.digest() for crystal in crystals).encode())
        digest.update(np.asarray(labelled.energies, dtype=np.float64).tobytes())
    return digest.hexdigest()
