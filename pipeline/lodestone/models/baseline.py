"""A sum over elements, fitted to the energies; the networks learn the residual."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from lodestone.crystals.compositions import N_ELEMENTS, weighted_sums


def _every_element() -> np.ndarray:
    return np.ones(N_ELEMENTS, dtype=bool)


@dataclass(frozen=True)
class ElementBaseline:
    """A linear function of composition, and the spread of its residuals.

    Attributes:
        coefficients: Contribution per element, shape ``(N_ELEMENTS,)``, eV/atom; 0 for elements never seen.
        scale: Root mean square of the residual, eV/atom.
        seen: Which elements occur in the training data, shape ``(N_ELEMENTS,)``, bool.
    """

    coefficients: np.ndarray
    scale: float
    seen: np.ndarray = field(default_factory=_every_element)

    @classmethod
    def fit(cls, fractions: np.ndarray, energies: np.ndarray, ridge: float = 1.0) -> ElementBaseline:
        """Ridge regression of energies, shape ``(n,)``, on atomic fractions, shape ``(n, N_ELEMENTS)``."""
        gram = fractions.T @ fractions + ridge * np.eye(fractions.shape[1])
        # Rounded far below physical meaning: the last bits of matrix products depend on the processor.
        coefficients = np.round(np.linalg.solve(gram, fractions.T @ energies), 9)
        residual = energies - weighted_sums(fractions, coefficients)
        # About zero, not about the mean: the residual of a single crystal has a size but no spread.
        scale = float(np.sqrt(np.mean(residual**2))) if len(residual) else 1.0
        return cls(coefficients, max(round(scale, 9), 1e-6), np.asarray((fractions > 0).any(axis=0)))

    def including(self, fractions: np.ndarray) -> ElementBaseline:
        """The same function, with further compositions counted as seen, shape ``(n, N_ELEMENTS)``."""
        return replace(self, seen=self.seen | (fractions > 0).any(axis=0))

    def knows(self, fractions: np.ndarray) -> np.ndarray:
        """Whether every element of each composition was seen, shape ``(n,)``, bool."""
        return np.asarray(~(fractions[:, ~self.seen] > 0).any(axis=1))

    def standardize(self, fractions: np.ndarray, energies: np.ndarray) -> np.ndarray:
        """Energies to the numbers a network learns."""
        return np.asarray((energies - weighted_sums(fractions, self.coefficients)) / self.scale)

    def restore(self, fractions: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """Outputs of a network, shape ``(..., n)``, to energies in eV/atom."""
        return np.asarray(outputs * self.scale + weighted_sums(fractions, self.coefficients))
