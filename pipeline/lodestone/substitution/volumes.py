"""Volumes of crystals from volumes of their elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import SYMBOLS


@dataclass(frozen=True)
class AtomicVolumes:
    """Volume per atom of each element, fitted to known crystals.

    Attributes:
        values: Indexed by atomic number, Å3; the mean volume for unseen elements.
    """

    values: np.ndarray

    @classmethod
    def fit(cls, crystals: Sequence[Crystal]) -> AtomicVolumes:
        """Non-negative least squares of cell volumes per atom on atomic fractions."""
        from scipy.optimize import nnls

        counts = np.stack([np.bincount(c.atomic_numbers, minlength=len(SYMBOLS)) for c in crystals]).astype(float)
        sizes = counts.sum(axis=1)
        per_atom = np.array([c.volume for c in crystals]) / sizes
        values, _ = nnls(counts / sizes[:, None], per_atom)
        smallest = 0.2 * per_atom.mean()
        return cls(np.where(counts.any(axis=0), np.maximum(values, smallest), per_atom.mean()))

    def rescale(self, parent: Crystal, child: Crystal) -> Crystal:
        """The child at its parent's volume times the ratio of their fitted volumes."""
        ratio = self.values[child.atomic_numbers].sum() / self.values[parent.atomic_numbers].sum()
        return child.scaled_to(parent.volume * float(ratio))
