"""Whether atoms in a cell can be a crystal at all: one check for training data and for predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import SYMBOLS
from lodestone.crystals.pairs import pairs_within
from lodestone.errors import LodestoneError

MIN_DISTANCE = 0.5  # Å: shorter than the bond of H2
VOLUME_PER_ATOM = (2.0, 150.0)  # Å3: below diamond under pressure, above cesium


def shortest_distance(crystal: Crystal, cutoff: float) -> float | None:
    """Shortest distance in Å, periodic images included; ``None`` if it is at least ``cutoff``, or the cell is flat."""
    if crystal.volume == 0:
        return None
    (distances,) = pairs_within(crystal, cutoff, "d", both_ways=False)
    return float(np.min(distances)) if len(distances) else None


def why_unsound(
    crystal: Crystal, *, min_distance: float = MIN_DISTANCE, volume_per_atom: tuple[float, float] = VOLUME_PER_ATOM
) -> str | None:
    """Why atoms in a cell cannot be a crystal, or ``None`` if they can.

    Args:
        crystal: Lattice, atoms and positions.
        min_distance: Shortest distance allowed, Å.
        volume_per_atom: Range allowed, Å3/atom.
    """
    numbers = crystal.atomic_numbers
    if not len(numbers) or crystal.frac_coords.shape != (len(numbers), 3):
        return f"it has {len(numbers)} atoms and {len(crystal.frac_coords)} positions"
    if not (np.isfinite(crystal.lattice).all() and np.isfinite(crystal.frac_coords).all()):
        return "its lattice or positions are not finite"
    if numbers.min() == 0 or numbers.max() >= len(SYMBOLS):
        return "an atomic number is no known element"
    volume, (low, high) = crystal.volume / len(numbers), volume_per_atom
    if not low <= volume <= high:
        return f"its volume is {volume:.2f} Å3/atom, outside {low:g} to {high:g}"
    distance = shortest_distance(crystal, min_distance)
    return None if distance is None else f"atoms are {distance:.3f} Å apart, less than {min_distance:g}"


def refuse_unsound(crystals: Sequence[Crystal]) -> None:
    """Stop at the first unsound crystal: networks would give confident predictions all the same.

    Raises:
        LodestoneError: With the position, the atoms and the reason.
    """
    for place, crystal in enumerate(crystals):
        reason = why_unsound(crystal)
        if reason is not None:
            atoms = "".join(SYMBOLS[z] if z < len(SYMBOLS) else "?" for z in crystal.atomic_numbers[:20])
            raise LodestoneError(
                f"crystal {place} ({atoms or 'empty'}) cannot be predicted: {reason}",
                "lengths are Å, positions fractions of the cell; correct this crystal or leave it out",
            )
