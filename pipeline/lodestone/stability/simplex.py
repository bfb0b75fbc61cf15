"""The mixture of phases with the lowest energy at a composition: many small linear programs, solved in parallel.

At the composition x, the hull energy is the minimum of ``sum(amount * energy)`` over mixtures of phases with
``sum(amount * fractions) = x`` (compare Akbarzadeh, Ozoliņš, Wolverton, Adv. Mater. 19, 3233 (2007)). Its dual is the
plane of chemical potentials that touches the hull there. The primal simplex method needs a few steps for each; numpy
takes them for thousands of compositions at once, where a hull code would be called thousands of times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lodestone.crystals.arithmetic import dot, inverse
from lodestone.errors import LodestoneError

_PRICE = 1e-11  # eV/atom: a phase this little below a plane counts as on it
_PIVOT = 1e-9  # smaller directions are rounding
_GREEDY = 40  # steps to the steepest phase; then Bland's rule, which cannot cycle
_MOST = 2000


@dataclass(frozen=True)
class Decompositions:
    """Optimal mixtures of ``q`` compositions of ``k`` elements.

    Attributes:
        energies: Energy of each mixture, shape ``(q,)``, eV/atom.
        planes: Chemical potential of each element, shape ``(q, k)``, eV/atom; ``planes @ x`` is the energy at x.
        phases: Positions of the phases in the mixture, shape ``(q, k)``.
        amounts: Their atomic fractions, shape ``(q, k)``; they sum to 1.
    """

    energies: np.ndarray
    planes: np.ndarray
    phases: np.ndarray
    amounts: np.ndarray


def lowest_decompositions(points: np.ndarray, energies: np.ndarray, targets: np.ndarray) -> Decompositions:
    """The mixture with the lowest energy at each composition.

    Args:
        points: Atomic fractions of the phases offered to each composition, shape ``(q, n, k)``. The first ``k`` are the
            pure elements, in order.
        energies: Their energies, shape ``(q, n)``, eV/atom; infinite where there is no phase.
        targets: The compositions, shape ``(q, k)``.

    Raises:
        LodestoneError: If no mixture can be proven optimal; no such case is known.
    """
    count, _, k = points.shape
    basis = np.tile(np.arange(k), (count, 1))
    open_ = np.arange(count)
    for _attempt in range(4):  # rounding errors add up: restart from the result until nothing changes
        basis[open_] = _pivot(points[open_], energies[open_], targets[open_], basis[open_])
        rows = np.arange(count)[:, None]
        corners, heights = points[rows, basis], energies[rows, basis]
        heights_to_planes = inverse(corners)
        planes = dot(heights_to_planes, heights[:, None])
        below = (energies - dot(points, planes[:, None])).min(axis=1) < -10 * _PRICE
        open_ = np.flatnonzero(below)
        if len(open_) == 0:
            amounts = dot(heights_to_planes.transpose(0, 2, 1), targets[:, None])
            return Decompositions(dot(planes, targets), planes, basis, amounts)
    raise LodestoneError(
        f"the hull energy of {len(open_)} compositions cannot be determined: rounding keeps it from an end",
        "look for energies beyond reason or fractions next to zero in the table of crystals, and report the case",
    )


def _pivot(points: np.ndarray, energies: np.ndarray, targets: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Phases of the optimal mixtures, by the revised simplex method starting from the phases ``start``."""
    result = start.copy()
    where, basis = np.arange(len(start)), start.copy()
    inverted = inverse(points[where[:, None], basis].transpose(0, 2, 1))
    amounts = dot(inverted, targets[:, None])
    for step in range(_MOST):
        rows = np.arange(len(where))
        planes = dot(inverted.transpose(0, 2, 1), energies[rows[:, None], basis][:, None])
        gaps = energies - dot(points, planes[:, None])
        enters = np.argmin(gaps, axis=1) if step < _GREEDY else np.argmax(gaps < -_PRICE, axis=1)
        better = gaps[rows, enters] < -_PRICE
        result[where] = basis
        if not better.any():
            return result
        if not better.all():
            where, basis, inverted, amounts = where[better], basis[better], inverted[better], amounts[better]
            points, energies, enters = points[better], energies[better], enters[better]
            rows = np.arange(len(where))
        change = dot(inverted, points[rows, enters][:, None])
        leaves = _leaving(amounts, change, basis)
        basis[rows, leaves] = enters
        inverted, amounts = _exchanged(inverted, amounts, change, leaves)
    return result


def _leaving(amounts: np.ndarray, change: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Which phase is used up first; in a tie, the one with the lowest index (Bland)."""
    ratios = np.where(change > _PIVOT, np.maximum(amounts, 0.0) / np.maximum(change, _PIVOT), np.inf)
    tied = ratios <= ratios.min(axis=1, keepdims=True) + 1e-14
    return np.asarray(np.argmin(np.where(tied, basis, np.iinfo(basis.dtype).max), axis=1))


def _exchanged(
    inverted: np.ndarray, amounts: np.ndarray, change: np.ndarray, leaves: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Inverse basis and amounts after one phase has taken the place of another."""
    rows = np.arange(len(leaves))
    pivot = change[rows, leaves]
    row, share = inverted[rows, leaves] / pivot[:, None], amounts[rows, leaves] / pivot
    inverted = inverted - change[:, :, None] * row[:, None, :]
    amounts = amounts - change * share[:, None]
    inverted[rows, leaves], amounts[rows, leaves] = row, share
    return inverted, amounts
