"""Which phases compete at each composition, in batches of problems with equal shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lodestone.crystals.arithmetic import dot
from lodestone.crystals.compositions import N_ELEMENTS, SAME_FRACTIONS, Elements

_NONE = -1_000_000  # no phase; elements without one are numbered by minus their atomic number
_CELLS = 60_000  # phases offered at once: their fractions stay in the processor's cache


@dataclass(frozen=True)
class Phases:
    """All phases; each composition lists only the elements it contains.

    Attributes:
        elements: Atomic numbers, ascending, then 0, shape ``(n, most)``.
        amounts: Atomic fractions of these, shape ``(n, most)``.
        energies: Shape ``(n,)``, eV/atom.
        corners: Index of the lowest phase of each pure element, or minus the atomic number where that is the
            reference, shape ``(N_ELEMENTS,)``.
        corner_energies: Energies of these, shape ``(N_ELEMENTS,)``, at most 0.
    """

    elements: np.ndarray
    amounts: np.ndarray
    energies: np.ndarray
    corners: np.ndarray
    corner_energies: np.ndarray

    @classmethod
    def none(cls) -> Phases:
        """Nothing but the elements."""
        empty = np.empty((0, 1))
        return cls(empty.astype(np.uint8), empty, empty[:, 0], -np.arange(N_ELEMENTS), np.zeros(N_ELEMENTS))

    def joined(self, elements: np.ndarray, amounts: np.ndarray, energies: np.ndarray) -> Phases:
        """These phases followed by more."""
        return replace(
            self,
            elements=stacked(self.elements, elements),
            amounts=stacked(self.amounts, amounts),
            energies=np.concatenate([self.energies, energies]),
        )

    def with_corners(self, phases: Sequence[int]) -> Phases:
        """The same, with these phases of pure elements as the lowest ones."""
        corners, energies = self.corners.copy(), self.corner_energies.copy()
        for phase in phases:
            element = self.elements[phase, 0]
            corners[element], energies[element] = phase, self.energies[phase]
        return replace(self, corners=corners, corner_energies=energies)


@dataclass(frozen=True)
class CompetingPhases:
    """Phases to be mixed at ``q`` compositions of ``k`` elements.

    Attributes:
        rows: Row of each composition, shape ``(q,)``.
        targets: Their atomic fractions, shape ``(q, k)``.
        phases: Indices of the phases, pure elements first, shape ``(q, n)``.
        points: Atomic fractions of the phases, shape ``(q, n, k)``.
        energies: Energies of the phases, shape ``(q, n)``, eV/atom; infinite where there are fewer than ``n``.
    """

    rows: np.ndarray
    targets: np.ndarray
    phases: np.ndarray
    points: np.ndarray
    energies: np.ndarray

    def gaps(self, planes: np.ndarray) -> np.ndarray:
        """Distance of each phase to a plane over the elements, shape ``(q, k)``, for each composition."""
        return self.energies - dot(self.points, planes[:, None])

    def without_own(self) -> CompetingPhases:
        """The same without compounds that have the composition itself."""
        own = self.is_own()
        own[:, : self.targets.shape[1]] = False
        return replace(self, energies=np.where(own, np.inf, self.energies))

    def is_own(self) -> np.ndarray:
        """Which phases have the composition they are offered to, shape ``(q, n)``."""
        return np.asarray((np.abs(self.points - self.targets[:, None]) < SAME_FRACTIONS).all(axis=2))


def stacked(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Two arrays of rows, one on top of the other, with shorter rows padded by zeros."""
    result = np.zeros((len(first) + len(second), max(first.shape[1], second.shape[1])), dtype=first.dtype)
    result[: len(first), : first.shape[1]] = first
    result[len(first) :, : second.shape[1]] = second
    return result


def competing_phases(
    targets: np.ndarray,
    systems: Sequence[Elements],
    numbers: np.ndarray,
    offered: Sequence[np.ndarray],
    known: Phases,
) -> Iterator[CompetingPhases]:
    """Offer phases to compositions, batching problems of similar size.

    Args:
        targets: The compositions, atomic fractions of the elements of their system, shape ``(m, most elements)``.
        systems: Their chemical systems.
        numbers: Index of the system of each composition, shape ``(m,)``.
        offered: Indices of the compounds offered in each system.
        known: All phases.
    """
    sizes = np.array([(len(x), len(rows)) for x, rows in zip(systems, offered, strict=True)]).reshape(-1, 2)[numbers]
    order = np.lexsort((numbers, sizes[:, 1], sizes[:, 0]))
    for rows in _batches(order, sizes[order]):
        chosen, local = np.unique(numbers[rows], return_inverse=True)
        elements = np.array([systems[number] for number in chosen])
        phases, points, energies = _table(elements, _padded([offered[number] for number in chosen]), known)
        yield CompetingPhases(rows, targets[rows, : elements.shape[1]], phases[local], points[local], energies[local])


def _table(elements: np.ndarray, compounds: np.ndarray, known: Phases) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices, compositions and energies of the phases of ``s`` systems, elements ``(s, k)``, compounds ``(s, c)``."""
    count, k = elements.shape
    missing = compounds == _NONE
    indices = np.where(missing, 0, compounds)
    places = np.full((count, N_ELEMENTS), k)  # the last column collects the padding
    places[np.arange(count)[:, None], elements] = np.arange(k)
    points = np.zeros((count, k + compounds.shape[1], k + 1))
    points[:, :k, :k] = np.eye(k)
    energies = np.empty(points.shape[:2])
    energies[:, :k] = known.corner_energies[elements]
    if compounds.shape[1]:
        atomic_numbers = known.elements[indices, :k]
        np.put_along_axis(
            points[:, k:], places[np.arange(count)[:, None, None], atomic_numbers], known.amounts[indices, :k], axis=2
        )
        energies[:, k:] = np.where(missing, np.inf, known.energies[indices])
    return np.hstack([known.corners[elements], compounds]), points[:, :, :k], energies


def _padded(lists: Sequence[np.ndarray]) -> np.ndarray:
    lengths = np.array([len(row) for row in lists])
    padded = np.full((len(lists), lengths.max()), _NONE)
    padded[np.arange(padded.shape[1]) < lengths[:, None]] = np.concatenate(lists)
    return padded


def _batches(order: np.ndarray, sizes: np.ndarray) -> Iterator[np.ndarray]:
    """Split where the number of elements changes or a batch has enough cells; sizes ascend."""
    start = 0
    while start < len(order):
        k = sizes[start, 0]
        end = int(np.searchsorted(sizes[:, 0], k, side="right"))
        cells = np.arange(1, end - start + 1) * (k + sizes[start:end, 1])
        end = start + max(1, int(np.searchsorted(cells, _CELLS)))
        yield order[start:end]
        start = end
