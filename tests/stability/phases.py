"""Sets of phases, and what pymatgen says about them."""

from collections.abc import Sequence

import numpy as np

from lodestone.crystals.compositions import N_ELEMENTS
from lodestone.crystals.elements import ATOMIC_NUMBERS

SYMBOLS = ("Li", "Na", "O", "Fe", "P", "Al", "Zn")  # neither sorted by name nor by number


def fractions_of(amounts: np.ndarray, symbols: Sequence[str]) -> np.ndarray:
    """Atomic fractions, shape ``(n, N_ELEMENTS)``, from amounts of each symbol."""
    fractions = np.zeros((len(amounts), N_ELEMENTS))
    fractions[:, [ATOMIC_NUMBERS[symbol] for symbol in symbols]] = amounts / amounts.sum(axis=1, keepdims=True)
    return fractions


def distances_by_pymatgen(amounts: np.ndarray, energies: np.ndarray, symbols: Sequence[str]) -> np.ndarray:
    """Energy above hull of every phase by pymatgen's ``PhaseDiagram``, eV/atom."""
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition

    formulas = [Composition(dict(zip(symbols, row.tolist(), strict=True))) for row in amounts]
    entries = [PDEntry(f, energy * f.num_atoms) for f, energy in zip(formulas, energies.tolist(), strict=True)]
    diagram = PhaseDiagram(entries)
    return np.array([diagram.get_e_above_hull(entry) for entry in entries])


def random_phases(seed: int, n_elements: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Amounts and formation energies; the elements come first, at 0.

    Small amounts make many equal and collinear compositions. Kinds: ``random`` energies; few ``levels``; all compounds
    in one ``plane``; phases exactly on the tie lines of a ``tent``; ``nearly`` in a plane, up to rounding.
    """
    draw = np.random.default_rng([seed, n_elements])
    counts = draw.integers(0, draw.choice([2, 4, 7, 13]), size=(draw.integers(0, 50), n_elements))
    amounts = np.vstack([np.eye(n_elements, dtype=int), counts[counts.sum(axis=1) > 0]])
    x = amounts / amounts.sum(axis=1, keepdims=True)
    is_element = x.max(axis=1) == 1
    energies = {
        "random": draw.normal(-0.5, 0.6, len(x)),
        "levels": np.round(draw.normal(-0.5, 0.6, len(x)) * 4) / 4,
        "plane": np.full(len(x), -1.0),
        "tent": -2 * np.minimum(x[:, 0], 1 - x[:, 0]),
        "nearly": -1 + draw.normal(0, 1e-13, len(x)),
    }[kind]
    energies = np.where(is_element, np.abs(energies), energies)
    energies[:n_elements] = 0
    return amounts, energies
