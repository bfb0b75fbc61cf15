"""What a sum over elements already explains; the networks learn the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ElementBaseline:
    """A linear function of composition, and the spread of what it leaves.

    Attributes:
        coefficients: Contribution per element, shape ``(N_ELEMENTS,)``, eV/atom; 0 for elements never seen.
        scale: Standard deviation of the residual, eV/atom.
    """

    coefficients: np.ndarray
    scale: float

    @classmethod
    def fit(cls, fractions: np.ndarray, energies: np.ndarray, ridge: float = 1.0) -> ElementBaseline:
        """Ridge regression of energies, shape ``(n,)``, on atomic fractions, shape ``(n, N_ELEMENTS)``."""
        gram = fractions.T @ fractions + ridge * np.eye(fractions.shape[1])
        coefficients = np.linalg.solve(gram, fractions.T @ energies)
        residual = energies - fractions @ coefficients
        return cls(coefficients, float(max(residual.std(), 1e-6)))

    def standardise(self, fractions: np.ndarray, energies: np.ndarray) -> np.ndarray:
        """Energies to the numbers a network learns."""
        return np.asarray((energies - fractions @ self.coefficients) / self.scale)

    def restore(self, fractions: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """Outputs of a network, shape ``(..., n)``, to energies in eV/atom."""
        return np.asarray(outputs * self.scale + fractions @ self.coefficients)
