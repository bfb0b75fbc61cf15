"""The convex hull of formation energies over composition.

The hull energy of a composition is that of the best mixture of phases (:mod:`lodestone.stability.simplex`), and these
phases are its decomposition products. Only phases on the hull of their own chemical system can be among them, so
systems are processed from small to large, and each is offered the stable phases of the smaller ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import polars as pl

from lodestone.crystals.compositions import (
    Elements,
    atomic_fractions,
    chemical_systems,
    lowest_of_equals,
    rows_by_system,
    subsystems,
    without_zeros,
)
from lodestone.crystals.elements import SYMBOLS
from lodestone.stability.competing_phases import CompetingPhases, Phases, competing_phases, stacked
from lodestone.stability.simplex import Decompositions, lowest_decompositions

_ON_HULL = 1e-10  # eV/atom: below this, differences are rounding
_NO_AMOUNT = 1e-8  # smaller amounts are rounding
_NOTHING = np.empty(0, dtype=np.intp)

Decomposition = list[tuple[int, float]]
BySystem = Mapping[Elements, np.ndarray]


class ConvexHull:
    """Hull of a set of phases; the pure elements are always included at 0.

    A crystal of a pure element below 0 (found after the references were fixed) counts like any other phase. A hull
    never changes; :meth:`with_phases` returns another.

    Args:
        fractions: Atomic fractions of the phases, shape ``(n, N_ELEMENTS)``.
        formation_energies: Shape ``(n,)``, eV/atom, relative to the elements.

    Attributes:
        distances: Energy above hull of the phases, shape ``(n,)``, eV/atom, never negative.
    """

    def __init__(self, fractions: np.ndarray, formation_energies: np.ndarray) -> None:
        self._phases = Phases.none()
        self._members: BySystem = {}  # all phases
        self._systems: Mapping[int, set[Elements]] = {}  # those containing each element
        self._compounds: BySystem = {}  # the lowest of each composition, if below the elements
        self._stable: BySystem = {}  # those of them on the hull
        self._planes = np.empty((0, 1))  # touching the hull at the phases
        self.distances = np.empty(0)
        self._add(np.asarray(fractions, dtype=float), np.asarray(formation_energies, dtype=float))

    @classmethod
    def of(cls, crystals: pl.DataFrame) -> ConvexHull:
        """The hull of a table of crystals, which number its phases.

        Args:
            crystals: Columns ``atomic_numbers`` and ``formation_energy_per_atom``.
        """
        fractions = atomic_fractions(crystals["atomic_numbers"].to_list())
        return cls(fractions, crystals["formation_energy_per_atom"].to_numpy())

    def with_phases(self, fractions: np.ndarray, formation_energies: np.ndarray) -> ConvexHull:
        """The hull with more phases added; only what they change is recomputed.

        Args:
            fractions: Atomic fractions of the new phases, shape ``(m, N_ELEMENTS)``; they are numbered from ``n`` on.
            formation_energies: Shape ``(m,)``, eV/atom, relative to the same elements.
        """
        new = object.__new__(ConvexHull)
        new.__dict__.update(self.__dict__)
        new._add(np.asarray(fractions, dtype=float), np.asarray(formation_energies, dtype=float))
        return new

    def hull_energies(self, fractions: np.ndarray) -> np.ndarray:
        """Energy of the hull at each composition, shape ``(n,)``, eV/atom."""
        energies = np.zeros(len(fractions))
        for offer, mixtures in self._mixtures(_grouped(fractions), self._stable):
            energies[offer.rows] = mixtures.energies
        return energies

    def energies_above_hull(self, fractions: np.ndarray, formation_energies: np.ndarray) -> np.ndarray:
        """Distance of each composition and energy to the hull, negative below it, shape ``(n,)``, eV/atom."""
        return _cleaned(formation_energies - self.hull_energies(fractions))

    def decomposition_energies(self, fractions: np.ndarray, formation_energies: np.ndarray) -> np.ndarray:
        """Distance of each composition and energy to the hull of all *other* compositions, shape ``(n,)``, eV/atom.

        Negative for stable phases: how far they lie below the hull of the others (Bartel et al., npj Comput. Mater. 6,
        97 (2020)). NaN for pure elements, which have no others.
        """
        energies = np.full(len(fractions), np.nan)
        for offer, mixtures in self._mixtures(_grouped(fractions), self._compounds, others_only=True):
            energies[offer.rows] = mixtures.energies if offer.targets.shape[1] > 1 else np.nan
        return _cleaned(formation_energies - energies)

    def decompositions(self, fractions: np.ndarray) -> list[Decomposition]:
        """The decomposition products at each composition.

        Returns:
            For each composition, pairs of a phase index (minus the atomic number for a pure element below which no
            phase lies) and its atomic fraction in the mixture, largest first; fractions sum to 1. The energy of the
            reaction to them is minus the energy above hull.
        """
        result: list[Decomposition] = [[] for _ in fractions]
        for offer, mixtures in self._mixtures(_grouped(fractions), self._stable):
            for row, decomposition in zip(offer.rows, _mixed(offer, mixtures), strict=True):
                result[row] = decomposition
        return result

    def _mixtures(
        self, compositions: Compositions, own: BySystem, others_only: bool = False
    ) -> Iterator[tuple[CompetingPhases, Decompositions]]:
        """The best mixtures, in batches of compositions.

        Args:
            compositions: What to mix.
            own: Phases offered from each composition's own system; from subsystems, the stable phases are offered.
            others_only: Do not offer compounds that have the composition itself.
        """
        offered = [self._offered(elements, own) for elements in compositions.systems]
        for phases in competing_phases(*compositions, offered, self._phases):
            offer = phases.without_own() if others_only else phases
            yield offer, lowest_decompositions(offer.points, offer.energies, offer.targets)

    def _offered(self, elements: Elements, own: BySystem) -> np.ndarray:
        stable = self._stable
        smaller = [stable[system] for system in subsystems(elements) if system in stable and system != elements]
        return np.concatenate([own.get(elements, _NOTHING), *smaller])

    def _add(self, fractions: np.ndarray, energies: np.ndarray) -> None:
        start = len(self.distances)
        elements, amounts = without_zeros(fractions)
        systems, numbers = chemical_systems(elements)
        lowest = lowest_of_equals(fractions, energies)
        low = lowest[energies[lowest] < -_ON_HULL]

        def by_system(rows: np.ndarray) -> BySystem:
            return {name: start + group for name, group in rows_by_system(systems, numbers, rows).items()}

        self._phases = self._phases.joined(elements, amounts, energies)
        self._planes = stacked(self._planes, np.zeros_like(amounts))
        self.distances = np.concatenate([self.distances, energies])
        if start:
            new = start + np.arange(len(fractions))
            self._measure(Compositions(amounts, systems, numbers), new, self._stable)
        lowering = by_system(low[self.distances[start:][low] < 0])
        self._phases = self._phases.with_corners([phases[0] for name, phases in lowering.items() if len(name) == 1])
        self._systems = _indexed(self._systems, (name for name in systems if name not in self._members))
        self._members = _merged(self._members, by_system(np.arange(len(fractions))))
        self._compounds = _merged(self._compounds, by_system(low[elements[low, 1:2].any(axis=1)]))
        self._settle(self._outdated(lowering) if start else self._members)

    def _outdated(self, lowering: BySystem) -> BySystem:
        """Phases whose tangent plane of the hull now has a new phase below it."""
        affected: dict[Elements, list[np.ndarray]] = defaultdict(list)
        for system, phases in lowering.items():
            for name in set.intersection(*sorted((self._systems[element] for element in system), key=len)):
                affected[name].append(phases)
        compositions, phases = self._gathered(list(affected), self._members)
        below = np.zeros(len(phases), dtype=bool)
        for offer in competing_phases(
            *compositions, [np.concatenate(offered) for offered in affected.values()], self._phases
        ):
            planes = self._planes[phases[offer.rows], : offer.targets.shape[1]]
            below[offer.rows] = (offer.gaps(planes) < -_ON_HULL).any(axis=1)
        outdated = rows_by_system(compositions.systems, compositions.numbers, np.flatnonzero(below))
        return {name: phases[rows] for name, rows in outdated.items()}

    def _settle(self, outdated: BySystem) -> None:
        """Update distances and stability of some phases, from small systems to large."""
        self._stable = dict(self._stable)
        for _, level in groupby(sorted(outdated, key=len), key=len):
            names = list(level)
            self._measure(*self._gathered(names, outdated), self._compounds)
            for name in names:
                compounds = self._compounds.get(name, _NOTHING)
                self._stable[name] = compounds[self.distances[compounds] <= 0]

    def _gathered(self, names: list[Elements], groups: BySystem) -> tuple[Compositions, np.ndarray]:
        """Compositions and indices of the phases of some systems."""
        phases = np.concatenate([_NOTHING, *(groups[name] for name in names)])
        numbers = np.repeat(np.arange(len(names)), [len(groups[name]) for name in names])
        return Compositions(self._phases.amounts[phases], names, numbers), phases

    def _measure(self, compositions: Compositions, phases: np.ndarray, own: BySystem) -> None:
        """Update distances of phases from the hull and the planes that touch it there."""
        for offer, mixtures in self._mixtures(compositions, own):
            rows = phases[offer.rows]
            self.distances[rows] = _cleaned(self._phases.energies[rows] - mixtures.energies)
            self._planes[rows, : mixtures.planes.shape[1]] = mixtures.planes


class Compositions(NamedTuple):
    """Compositions: the first arguments of :func:`lodestone.stability.competing_phases.competing_phases`."""

    targets: np.ndarray
    systems: list[Elements]
    numbers: np.ndarray


def describe_decomposition(decomposition: Sequence[tuple[int, float]], formulas: Sequence[str]) -> str:
    """A decomposition as text, e.g. ``0.60 Na2O + 0.40 Na``; amounts are atomic fractions."""
    names = (formulas[phase] if phase >= 0 else SYMBOLS[-phase] for phase, _ in decomposition)
    return " + ".join(f"{amount:.2f} {name}" for name, (_, amount) in zip(names, decomposition, strict=True))


def _mixed(offer: CompetingPhases, mixtures: Decompositions) -> Iterator[Decomposition]:
    """The mixtures as lists; a phase with the composition itself is preferred to a mixture of equal energy."""
    whole = offer.is_own() & (offer.gaps(mixtures.planes) < _ON_HULL)
    chosen = np.take_along_axis(offer.phases, mixtures.phases, axis=1)
    for own, row, phases, amounts in zip(whole, offer.phases, chosen, mixtures.amounts, strict=True):
        if own.any():
            yield [(int(row[np.argmax(own)]), 1.0)]
            continue
        decomposition = [(int(phase), float(x)) for phase, x in zip(phases, amounts, strict=True) if x > _NO_AMOUNT]
        yield sorted(decomposition, key=lambda item: (-item[1], item[0]))


def _grouped(fractions: np.ndarray) -> Compositions:
    elements, amounts = without_zeros(fractions)
    return Compositions(amounts, *chemical_systems(elements))


def _merged(known: BySystem, new: BySystem) -> BySystem:
    return {**known, **{s: np.concatenate([known[s], rows]) if s in known else rows for s, rows in new.items()}}


def _indexed(known: Mapping[int, set[Elements]], new: Iterable[Elements]) -> dict[int, set[Elements]]:
    added: dict[int, set[Elements]] = defaultdict(set)
    for name in new:
        for element in name:
            added[element].add(name)
    return {**known, **{element: known.get(element, set()) | names for element, names in added.items()}}


def _cleaned(distances: np.ndarray) -> np.ndarray:
    return np.where(np.abs(distances) < _ON_HULL, 0.0, distances)
