"""The exact convex hull for pymatgen's entries: entries in, energies and entries out.

The numbers are those of ``pymatgen.analysis.phase_diagram.PhaseDiagram``, for any number of chemical systems at once
and many times as fast (`python benchmarks/hull.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lodestone.crystals.compositions import N_ELEMENTS, weighted_sums
from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS
from lodestone.errors import LodestoneError
from lodestone.stability.hull import ConvexHull

if TYPE_CHECKING:
    from pymatgen.core import Composition
    from pymatgen.entries.computed_entries import ComputedEntry


class Hull:
    """Convex hull of entries with total energies, such as ``ComputedEntry`` or ``PDEntry``.

    Args:
        entries: Of any chemical systems; every element needs an entry of its own, from which formation energies count.
        label_method: What made the energies, e.g. ``dft-pbe``; needed where a model's predictions meet this hull.
        correction_scheme: Their corrections, e.g. ``MP2020``.

    Attributes:
        entries: The same, as a list.
        el_refs: The lowest entry of each element, by its symbol.

    Raises:
        LodestoneError: If an element has no entry, or an energy is not finite.

    Examples:
        >>> from pymatgen.entries.computed_entries import ComputedEntry
        >>> entries = [ComputedEntry("Na", -1.0), ComputedEntry("Cl", -2.0), ComputedEntry("NaCl", -7.0)]
        >>> hull = Hull(entries)
        >>> hull.energies_above_hull([ComputedEntry("NaCl", -6.8)]).round(6).tolist()
        [0.1]
        >>> [(entry.name, round(amount, 6)) for entry, amount in hull.decompositions(["Na2Cl"])[0].items()]
        [('NaCl', 0.666667), ('Na', 0.333333)]
    """

    def __init__(
        self,
        entries: Iterable[ComputedEntry],
        *,
        label_method: str | None = None,
        correction_scheme: str | None = None,
    ) -> None:
        self.entries = list(entries)
        self.label_method, self.correction_scheme = label_method, correction_scheme
        self._fractions = fractions_of([entry.composition for entry in self.entries])
        self._energies = np.array([float(entry.energy_per_atom) for entry in self.entries])
        if not np.isfinite(self._energies).all():
            entry = self.entries[int(np.argmin(np.isfinite(self._energies)))]
            raise LodestoneError(f"the energy of {entry.composition} is {entry.energy}", "leave this entry out")
        self.el_refs = self._elements()
        self._references = np.zeros(N_ELEMENTS)
        for symbol, entry in self.el_refs.items():
            self._references[ATOMIC_NUMBERS[symbol]] = entry.energy_per_atom

    @cached_property
    def convex_hull(self) -> ConvexHull:
        """The hull of the formation energies."""
        return ConvexHull(self._fractions, self._energies - weighted_sums(self._fractions, self._references))

    @property
    def stable_entries(self) -> list[ComputedEntry]:
        """Entries on the hull."""
        return [entry for entry, distance in zip(self.entries, self.convex_hull.distances, strict=True) if not distance]

    def formation_energies(self, entries: Sequence[ComputedEntry] | None = None) -> np.ndarray:
        """Formation energies of these or any other entries, shape ``(n,)``, eV/atom."""
        fractions, energies = self._of(entries)
        return energies - weighted_sums(fractions, self._references)

    def energies_above_hull(self, entries: Sequence[ComputedEntry] | None = None) -> np.ndarray:
        """Distances of these or any other entries to the hull, negative below it, shape ``(n,)``, eV/atom."""
        if entries is None:
            return self.convex_hull.distances.copy()
        return self.convex_hull.energies_above_hull(self._of(entries)[0], self.formation_energies(entries))

    def decomposition_energies(self, entries: Sequence[ComputedEntry] | None = None) -> np.ndarray:
        """Distances to the hull of all other compositions, shape ``(n,)``, eV/atom; NaN for pure elements."""
        return self.convex_hull.decomposition_energies(self._of(entries)[0], self.formation_energies(entries))

    def decompositions(
        self, compositions: Sequence[Composition | ComputedEntry | str]
    ) -> list[dict[ComputedEntry, float]]:
        """The entries that each composition decomposes into, with their shares of the atoms."""
        fractions = fractions_of([getattr(one, "composition", one) for one in compositions])
        self._refuse_unknown(fractions)
        return [
            {self.entries[phase] if phase >= 0 else self.el_refs[SYMBOLS[-phase]]: amount for phase, amount in products}
            for products in self.convex_hull.decompositions(fractions)
        ]

    def get_e_above_hull(self, entry: ComputedEntry) -> float:
        """Of one entry, as ``PhaseDiagram`` calls it; negative below the hull."""
        return float(self.energies_above_hull([entry])[0])

    def get_form_energy_per_atom(self, entry: ComputedEntry) -> float:
        """Of one entry, as ``PhaseDiagram`` calls it."""
        return float(self.formation_energies([entry])[0])

    def get_decomposition(self, composition: Composition) -> dict[ComputedEntry, float]:
        """Of one composition, as ``PhaseDiagram`` calls it."""
        return self.decompositions([composition])[0]

    def _elements(self) -> Mapping[str, ComputedEntry]:
        pure = np.flatnonzero((self._fractions > 0).sum(axis=1) == 1)
        lowest: dict[str, ComputedEntry] = {}
        for row in pure[np.argsort(self._energies[pure], kind="stable")]:
            lowest.setdefault(SYMBOLS[int(np.argmax(self._fractions[row]))], self.entries[row])
        missing = [SYMBOLS[z] for z in np.flatnonzero(self._fractions.any(axis=0)) if SYMBOLS[z] not in lowest]
        if missing:
            remedy = "add an entry of each pure element, from which formation energies are counted"
            raise LodestoneError(f"no entry of pure {', '.join(missing)}", remedy)
        return lowest

    def _of(self, entries: Sequence[ComputedEntry] | None) -> tuple[np.ndarray, np.ndarray]:
        if entries is None:
            return self._fractions, self._energies
        fractions = fractions_of([entry.composition for entry in entries])
        self._refuse_unknown(fractions)
        return fractions, np.array([float(entry.energy_per_atom) for entry in entries])

    def _refuse_unknown(self, fractions: np.ndarray) -> None:
        known = np.array([symbol in self.el_refs for symbol in SYMBOLS])
        if strange := [SYMBOLS[z] for z in np.flatnonzero(fractions.any(axis=0) & ~known)]:
            raise LodestoneError(f"the hull has no {', '.join(strange)}", "add entries of these elements to the hull")


def fractions_of(compositions: Sequence[Any]) -> np.ndarray:
    """Atomic fractions, shape ``(n, N_ELEMENTS)``, of pymatgen's compositions or of formulas.

    Raises:
        LodestoneError: If one has no atoms or an element that does not exist.
    """
    from pymatgen.core import Composition

    amounts = np.zeros((len(compositions), N_ELEMENTS))
    for row, composition in zip(amounts, compositions, strict=True):
        try:
            for symbol, amount in Composition(composition).get_el_amt_dict().items():
                row[ATOMIC_NUMBERS[symbol]] = amount
        except (KeyError, ValueError, TypeError) as error:
            raise LodestoneError(f"{composition} is no composition: {error}", "correct this entry") from error
    totals = amounts.sum(axis=1, keepdims=True)
    if not (totals > 0).all():
        raise LodestoneError(f"entry {int(np.argmin(totals))} has no atoms", "leave it out")
    return amounts / totals
