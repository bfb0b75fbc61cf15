"""Compositions as rows of atomic fractions."""

from collections.abc import Sequence

import numpy as np

from pipeline.crystals.elements import SYMBOLS

N_ELEMENTS = len(SYMBOLS)


def atomic_fractions(atomic_numbers: Sequence[np.ndarray]) -> np.ndarray:
    """Atomic fractions of each crystal.

    Args:
        atomic_numbers: One array of atomic numbers per crystal.

    Returns:
        Shape ``(n, N_ELEMENTS)``, indexed by atomic number; rows sum to 1.
    """
    sizes = np.array([len(numbers) for numbers in atomic_numbers], dtype=np.intp)
    rows = np.repeat(np.arange(len(sizes)), sizes)
    columns = np.concatenate([np.asarray(numbers, dtype=np.intp) for numbers in atomic_numbers]) if len(sizes) else rows
    counts = np.bincount(rows * N_ELEMENTS + columns, minlength=len(sizes) * N_ELEMENTS)
    return counts.reshape(-1, N_ELEMENTS) / sizes[:, None]
