"""The convex hull of formation energies over composition.

The lower hull of a chemical system is a convex piecewise linear function of composition, so its value is the largest of
the planes through its facets: one matrix product gives the hull energy of any number of compositions, and the facet
that attains it names the decomposition products (compare Ong et al., Chem. Mater. 20, 1798 (2008)).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pipeline.crystals.elements import SYMBOLS
from pipeline.stability.compositions import N_ELEMENTS

_ON_HULL = 1e-10  # eV/atom: below this, differences are rounding
_FLAT = 1e-10  # simplices with a smaller determinant are slivers that neighbouring facets cover

Elements = tuple[int, ...]


@dataclass(frozen=True)
class Facets:
    """Lower facets of one chemical system of ``k`` elements.

    Attributes:
        planes: Energy of each facet's plane at the pure elements, shape ``(f, k)``, eV/atom.
        vertices: Index of the phases at its corners, shape ``(f, k)``; element ``j`` itself is ``-1 - j``.
        corners: Atomic fractions of these phases, shape ``(f, k, k)``.
    """

    planes: np.ndarray
    vertices: np.ndarray
    corners: np.ndarray


class ConvexHull:
    """Hull of a set of phases, the pure elements always included at 0.

    A crystal of a pure element below 0 (found after the references were fixed) counts like any other phase.

    Args:
        fractions: Atomic fractions of the phases, shape ``(n, N_ELEMENTS)``.
        formation_energies: Shape ``(n,)``, eV/atom, relative to the elements.
    """

    def __init__(self, fractions: np.ndarray, formation_energies: np.ndarray) -> None:
        self._fractions = np.asarray(fractions, dtype=float)
        self._energies = np.asarray(formation_energies, dtype=float)
        self._facets: dict[Elements, Facets] = {}
        self._phases: dict[Elements, list[int]] = {}
        for index in self._candidates():
            self._phases.setdefault(elements_of(self._fractions[index]), []).append(int(index))

    def hull_energies(self, fractions: np.ndarray) -> np.ndarray:
        """Energy of the hull at each composition, shape ``(n,)``, eV/atom."""
        energies = np.zeros(len(fractions))
        for elements, rows in _group(fractions).items():
            planes = self._facets_of(elements).planes
            energies[rows] = np.max(fractions[np.ix_(rows, np.array(elements))] @ planes.T, axis=1)
        return energies

    def energies_above_hull(self, fractions: np.ndarray, formation_energies: np.ndarray) -> np.ndarray:
        """Distance of each composition and energy to the hull, negative below it, shape ``(n,)``, eV/atom."""
        distance = formation_energies - self.hull_energies(fractions)
        return np.where(np.abs(distance) < _ON_HULL, 0.0, distance)

    def decomposition(self, fraction: np.ndarray) -> list[tuple[int, float]]:
        """Phases of the hull at one composition, shape ``(N_ELEMENTS,)``.

        Returns:
            Pairs of phase index (``-atomic number`` for a pure element without a phase of its own) and atomic fraction
            of the mixture, largest first; they sum to 1.
        """
        elements = elements_of(fraction)
        facets = self._facets_of(elements)
        x = fraction[list(elements)]
        heights = facets.planes @ x
        tied = np.flatnonzero(heights >= heights.max() - _ON_HULL)  # of facets in one plane, one holds x
        amounts = np.linalg.solve(facets.corners[tied].transpose(0, 2, 1), x[None, :, None])[..., 0]
        best = int(np.argmax(amounts.min(axis=1)))
        phases = [int(v) if v >= 0 else -elements[-1 - v] for v in facets.vertices[tied[best]]]
        mixture = [(phase, float(amount)) for phase, amount in zip(phases, amounts[best], strict=True) if amount > 1e-8]
        return sorted(mixture, key=lambda item: (-item[1], item[0]))

    def _candidates(self) -> np.ndarray:
        """Phases that can be on the hull: the lowest of each composition, if below the line between the elements."""
        below = np.flatnonzero(self._energies < -_ON_HULL)
        keys = np.round(self._fractions[below], 9)
        order = np.lexsort((below, self._energies[below]))
        _, first = np.unique(keys[order], axis=0, return_index=True) if len(below) else (None, np.array([], dtype=int))
        return np.sort(below[order][first])

    def _facets_of(self, elements: Elements) -> Facets:
        if elements not in self._facets:
            subsets = (s for size in range(1, len(elements) + 1) for s in combinations(elements, size))
            phases = np.array([index for subset in subsets for index in self._phases.get(subset, ())], dtype=np.intp)
            points = self._fractions[np.ix_(phases, np.array(elements))]
            self._facets[elements] = _lower_facets(points, self._energies[phases], phases)
        return self._facets[elements]


def elements_of(fraction: np.ndarray) -> Elements:
    """Atomic numbers with a non-zero fraction, ascending."""
    return tuple(int(z) for z in np.flatnonzero(fraction))


def describe_decomposition(mixture: Sequence[tuple[int, float]], formulas: Sequence[str]) -> str:
    """A decomposition as text, e.g. ``0.60 Na2O + 0.40 Na``; amounts are atomic fractions."""
    names = (formulas[phase] if phase >= 0 else SYMBOLS[-phase] for phase, _ in mixture)
    return " + ".join(f"{amount:.2f} {name}" for name, (_, amount) in zip(names, mixture, strict=True))


def _group(fractions: np.ndarray) -> dict[Elements, np.ndarray]:
    if fractions.shape[1] != N_ELEMENTS:
        raise ValueError(f"compositions have {fractions.shape[1]} columns, not {N_ELEMENTS}")
    rows: dict[Elements, list[int]] = {}
    for row, fraction in enumerate(fractions):
        rows.setdefault(elements_of(fraction), []).append(row)
    return {elements: np.array(indices) for elements, indices in rows.items()}


def _lower_facets(points: np.ndarray, energies: np.ndarray, phases: np.ndarray) -> Facets:
    from scipy.spatial import ConvexHull as Qhull

    k = points.shape[1]
    corners = np.vstack([np.eye(k), points])
    heights = np.concatenate([np.zeros(k), energies])
    if k == 1:
        simplices = np.array([[np.argmin(heights)]])
    elif len(points) == 0:
        simplices = np.arange(k)[None, :]
    else:
        hull = Qhull(np.column_stack([corners[:, :-1], heights]), qhull_options="Qt" if k < 5 else "Qt Qx")
        simplices = hull.simplices[hull.equations[:, -2] < 0]
    volumes = np.abs(np.linalg.det(corners[simplices]))
    simplices = simplices[volumes > _FLAT]
    names = np.concatenate([-1 - np.arange(k), phases])
    planes = np.linalg.solve(corners[simplices], heights[simplices][..., None])[..., 0]
    return Facets(planes, names[simplices], corners[simplices])
