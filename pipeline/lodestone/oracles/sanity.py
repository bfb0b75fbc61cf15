"""Physical checks of a relaxation: an explosion or a collapse is never a discovery."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from lodestone.config.sections import OracleParams, Positive
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.pairs import pairs_within


class Limits(OracleParams):
    """Which results of a relaxation are refused."""

    max_volume_change: float = Field(gt=1, description="largest ratio of volumes before and after")
    min_distance_ratio: Positive = Field(description="shortest distance over the sum of covalent radii")
    min_energy_per_atom: float = Field(description="lower energies are artifacts, eV/atom")

    def fault(self, initial: Crystal, current: Crystal, energy_per_atom: float) -> str | None:
        """Why a relaxed crystal is not credible, or ``None``; see :func:`fault`."""
        return fault(
            initial,
            current,
            energy_per_atom,
            max_volume_change=self.max_volume_change,
            min_distance_ratio=self.min_distance_ratio,
            min_energy_per_atom=self.min_energy_per_atom,
        )


def with_lowest(content: Any, key: str, lowest: Mapping[str, float]) -> Any:
    """Settings before they are checked, with the lowest credible energy of what they name, unless they state one.

    Args:
        content: Anything; only a dictionary is a section.
        key: Names what the energy depends on.
        lowest: ``min_energy_per_atom`` by its values.
    """
    if not isinstance(content, dict) or content.get(key) not in lowest:
        return content
    return {"min_energy_per_atom": lowest[content[key]], **content}


def distance_ratio(crystal: Crystal) -> float:
    """Smallest interatomic distance over the sum of the two covalent radii (Cordero 2008).

    Returns:
        The smallest ratio, periodic images included; ``inf`` where no pair is within 4 Å.
    """
    from ase.data import covalent_radii

    first, second, distance = pairs_within(crystal, 4.0, "ijd")
    if len(distance) == 0:
        return float("inf")
    radii = covalent_radii[crystal.atomic_numbers]
    return float(np.min(distance / (radii[first] + radii[second])))


def fault(
    initial: Crystal,
    current: Crystal,
    energy_per_atom: float,
    *,
    max_volume_change: float = 2.0,
    min_distance_ratio: float = 0.5,
    min_energy_per_atom: float = -15.0,
) -> str | None:
    """Why a relaxed crystal is not credible, or ``None``.

    Args:
        initial: The crystal before its relaxation.
        current: The crystal at the current step.
        energy_per_atom: Its energy, eV/atom.
        max_volume_change: Largest allowed ratio of the two volumes, in either direction.
        min_distance_ratio: Smallest allowed distance over the sum of the covalent radii of two atoms.
        min_energy_per_atom: Lower energies are artifacts of a potential, eV/atom.
    """
    if not (np.isfinite(energy_per_atom) and np.isfinite(current.lattice).all()):
        return "not_finite"
    if energy_per_atom < min_energy_per_atom:
        return "energy_artefact"
    change = current.volume / initial.volume
    if change > max_volume_change:
        return "exploded"
    if change < 1 / max_volume_change:
        return "collapsed"
    if distance_ratio(current) < min_distance_ratio:
        return "atoms_overlap"
    return None
