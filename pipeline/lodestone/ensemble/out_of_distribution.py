"""Whether a crystal is unlike all training crystals, and why.

The reasons; the first three exclude each other, strongest first:

- ``element``: an element that no training crystal has;
- ``pair``: two elements that no training crystal has together;
- ``system``: a chemical system without a training crystal, though each pair of its elements occurs;
- ``latent``: in the latent space of one view, the last one listed that has latent vectors, the nearest training
  crystals are further than they are for 99 % of the validation crystals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lodestone.crystals.compositions import N_ELEMENTS, Elements
from lodestone.crystals.crystal import Crystal
from lodestone.ensemble.seen_systems import SeenSystems
from lodestone.errors import LodestoneError
from lodestone.schemas import INPUT_STRUCTURES
from lodestone.tables.files import write_atomically

_KEPT = 2000  # training crystals whose latent vectors are kept
_NEIGHBOR = 5  # distance to the fifth nearest: a single twin does not make a crystal familiar
_QUANTILE = 0.99
_CHUNK = 2048  # rows of distances held at once


@dataclass(frozen=True)
class OutOfDistribution:
    """What the training crystals were like.

    Attributes:
        systems: Their elements, pairs of elements, and chemical systems.
        latents: Latent vectors of some training crystals, shape ``(k, width)``, float32.
        thresholds: Distance beyond which a crystal is far from them, by input structure.
    """

    systems: SeenSystems
    latents: np.ndarray
    thresholds: Mapping[str, float]

    @classmethod
    def fit(
        cls, train: Sequence[Crystal], latents: np.ndarray, validation_latents: Mapping[str, np.ndarray]
    ) -> OutOfDistribution:
        """Remember the training crystals.

        Args:
            train: All of them.
            latents: Latent vectors of those of :func:`remembered`, shape ``(k, width)``.
            validation_latents: Those of the validation crystals, shape ``(m, width)``, by input
                structure; they set the thresholds.
        """
        kept = np.ascontiguousarray(latents, dtype=np.float32)
        thresholds = {structure: familiar_within(vectors, kept) for structure, vectors in validation_latents.items()}
        return cls(SeenSystems.of(map(system_of, train)), kept, thresholds)

    def reasons(
        self, crystals: Sequence[Crystal], latents: np.ndarray | None, input_structure: str = "relaxed"
    ) -> list[str]:
        """Why each crystal is out of distribution, reasons joined by commas; empty if it is not.

        Args:
            crystals: Crystals to judge.
            latents: Their latent vectors, shape ``(n, width)``; ``None`` compares chemistry only.
            input_structure: ``relaxed`` or ``unrelaxed``.
        """
        return self.reasons_of([system_of(crystal) for crystal in crystals], latents, input_structure)

    def reasons_of(
        self, systems: Sequence[Elements], latents: np.ndarray | None, input_structure: str = "relaxed"
    ) -> list[str]:
        """The same for crystals of which no more than their chemical systems is known, beside the latent vectors."""
        far = [False] * len(systems)
        if latents is not None:
            far = (neighbor_distances(latents, self.latents) > self.thresholds[input_structure]).tolist()
        named = [
            (self.systems.why_new(system), "latent" if is_far else "")
            for system, is_far in zip(systems, far, strict=True)
        ]
        return [",".join(filter(None, reasons)) for reasons in named]

    def save(self, path: Path) -> None:
        """Write safetensors: equal training sets give equal bytes."""
        from safetensors.numpy import save_file

        tensors = {
            **self.systems.tensors(),
            "latents": self.latents,
            **{f"threshold/{input_structure}": np.array([value]) for input_structure, value in self.thresholds.items()},
        }
        write_atomically(path, partial(save_file, tensors))

    @classmethod
    def load(cls, path: Path) -> OutOfDistribution:
        """Read what :meth:`save` wrote, now or in an earlier version.

        Raises:
            LodestoneError: If the file is missing or damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            tensors = load_file(path)
            thresholds = {
                input_structure: float(tensors[f"threshold/{input_structure}"][0])
                for input_structure in INPUT_STRUCTURES
            }
            return cls(SeenSystems.from_tensors(tensors), tensors["latents"], thresholds)
        except (OSError, SafetensorError, KeyError) as error:
            raise LodestoneError(f"{path} cannot be read: {error}", "make it again: `dvc repro`") from error


def remembered(n: int) -> np.ndarray:
    """Rows of the training crystals whose latent vectors are kept: at most 2,000 of ``n``, evenly spaced."""
    return np.unique(np.linspace(0, n - 1, min(_KEPT, n)).round().astype(int))


def familiar_within(latents: np.ndarray, known: np.ndarray) -> float:
    """Distance to the fifth nearest of the training crystals that 99 % of the validation crystals do not exceed.

    Args:
        latents: Latent vectors of the validation crystals, shape ``(m, width)``.
        known: Those of training crystals, shape ``(k, width)``.
    """
    distances = neighbor_distances(latents, known)
    return float(np.quantile(distances, _QUANTILE)) if len(distances) else float("inf")


def system_of(crystal: Crystal) -> Elements:
    """Chemical system as ascending atomic numbers."""
    present = np.bincount(crystal.atomic_numbers, minlength=N_ELEMENTS)
    return tuple(np.flatnonzero(present).tolist())


def neighbor_distances(points: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Euclidean distance of each point, shape ``(n, width)``, to its fifth nearest of ``known``, shape ``(k, width)``.

    To the farthest of them where there are fewer; infinite where there are none.
    """
    if len(known) == 0 or len(points) == 0:
        return np.full(len(points), np.inf)
    rank = min(_NEIGHBOR, len(known)) - 1
    others = known.astype(float)
    pieces = []
    for start in range(0, len(points), _CHUNK):
        chunk = points[start : start + _CHUNK].astype(float)
        square = (chunk**2).sum(1)[:, None] + (others**2).sum(1) - 2 * chunk @ others.T
        pieces.append(np.sqrt(np.maximum(np.partition(square, rank, axis=1)[:, rank], 0)))
    return np.concatenate(pieces)
