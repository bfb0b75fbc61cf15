"""Checks of physics on a relaxation: an explosion or a collapse is never a discovery."""

import numpy as np
import vesin

from lodestone.crystals.crystal import Crystal
from lodestone.oracles.base import RelaxationSettings


def distance_ratio(crystal: Crystal) -> float:
    """Smallest interatomic distance over the sum of the two covalent radii (Cordero 2008).

    Returns:
        The smallest ratio, periodic images included; ``inf`` where no pair is within 4 Å.
    """
    from ase.data import covalent_radii

    first, second, distance = vesin.ase_neighbor_list("ijd", crystal.to_ase(), 4.0)
    if len(distance) == 0:
        return float("inf")
    radii = covalent_radii[crystal.atomic_numbers]
    return float(np.min(distance / (radii[first] + radii[second])))


def fault(initial: Crystal, current: Crystal, energy_per_atom: float, settings: RelaxationSettings) -> str | None:
    """The reason why a relaxed crystal cannot be believed, or ``None``."""
    if not (np.isfinite(energy_per_atom) and np.isfinite(current.lattice).all()):
        return "not_finite"
    if energy_per_atom < settings.min_energy_per_atom:
        return "energy_artefact"
    change = current.volume / initial.volume
    if change > settings.max_volume_change:
        return "exploded"
    if change < 1 / settings.max_volume_change:
        return "collapsed"
    if distance_ratio(current) < settings.min_distance_ratio:
        return "atoms_overlap"
    return None
