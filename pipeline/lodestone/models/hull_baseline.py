"""The hull of the other compositions; the networks learn how far from it a crystal lies."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b

import numpy as np

from lodestone.crystals.compositions import N_ELEMENTS, lowest_of_equals
from lodestone.models.baseline import every_element
from lodestone.stability.hull import ConvexHull

_DIGITS = 9  # far below physical meaning: the last bits of a hull depend on the processor


@dataclass(frozen=True)
class HullBaseline:
    """The lowest energy that phases of other compositions reach by mixing, and the spread of what is left.

    A distance to the hull is a tenth of a formation energy, and like compounds have like ones: what is hard to learn of
    formation energies, the strength of bonds that competing phases have, too, is known already. The decomposition
    energy of Bartel et al., npj Comput. Mater. 6, 97 (2020), to whose prediction others come by way of energies.
    Phases of the composition itself do not count, neither in training nor in prediction, so that a crystal that is
    known and a candidate are measured alike.

    Attributes:
        fractions: Atomic fractions of the known phases, the lowest of each composition, shape ``(k, N_ELEMENTS)``.
        energies: Their formation energies, shape ``(k,)``, eV/atom.
        scale: Root mean square distance, eV/atom.
        seen: Which elements occur in the training data, shape ``(N_ELEMENTS,)``, bool.
    """

    fractions: np.ndarray
    energies: np.ndarray
    scale: float
    seen: np.ndarray = field(default_factory=every_element)

    @classmethod
    def fit(cls, fractions: np.ndarray, energies: np.ndarray) -> HullBaseline:
        """The hull of the training crystals.

        Args:
            fractions: Shape ``(n, N_ELEMENTS)``.
            energies: Formation energies, shape ``(n,)``, eV/atom.
        """
        rows = lowest_of_equals(fractions, energies)
        seen = np.asarray((fractions > 0).any(axis=0)) if len(fractions) else np.zeros(N_ELEMENTS, dtype=bool)
        unscaled = cls(fractions[rows], energies[rows], 1.0, seen)
        left = unscaled.standardize(fractions, energies)
        scale = float(np.sqrt(np.mean(left**2))) if len(left) else 1.0
        return replace(unscaled, scale=max(round(scale, _DIGITS), 1e-6))

    def including(self, fractions: np.ndarray) -> HullBaseline:
        """The same hull, with further compositions counted as seen, shape ``(n, N_ELEMENTS)``.

        Networks that are trained on go on from the hull that they started from.
        """
        later = replace(self, seen=self.seen | (fractions > 0).any(axis=0))
        later.__dict__["_hull"] = self._hull
        return later

    def knows(self, fractions: np.ndarray) -> np.ndarray:
        """Whether every element of each composition was seen, shape ``(n,)``, bool."""
        return np.asarray(~(fractions[:, ~self.seen] > 0).any(axis=1))

    def standardize(self, fractions: np.ndarray, energies: np.ndarray) -> np.ndarray:
        """Energies to the numbers a network learns."""
        return np.asarray((energies - self._floor(fractions)) / self.scale)

    def restore(self, fractions: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """Outputs of a network, shape ``(..., n)``, to energies in eV/atom."""
        return np.asarray(outputs * self.scale + self._floor(fractions))

    def digest(self) -> str:
        """Content hash of all that decides what networks learn."""
        parts = (self.fractions, self.energies, np.float64(self.scale))
        return blake2b(b"".join(part.tobytes() for part in parts), digest_size=16).hexdigest()

    @cached_property
    def _hull(self) -> ConvexHull:
        return ConvexHull(self.fractions, self.energies)

    def _floor(self, fractions: np.ndarray) -> np.ndarray:
        """Energy of the hull of all other compositions, shape ``(n,)``, eV/atom; 0 for elements, which have none."""
        above = self._hull.decomposition_energies(fractions, np.zeros(len(fractions)))
        return np.asarray(-np.round(np.nan_to_num(above), _DIGITS))
