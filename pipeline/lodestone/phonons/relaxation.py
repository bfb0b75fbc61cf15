"""Tight relaxations that keep the symmetry of a crystal, by the forces of an oracle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.motions import primitive_motions
from lodestone.crystals.supercells import Motion
from lodestone.crystals.symmetry import dataset_of
from lodestone.oracles.base import Label
from lodestone.oracles.potential import Potential
from lodestone.oracles.relaxation import Results, relax_all
from lodestone.phonons.settings import PhononSettings

if TYPE_CHECKING:
    from ase import Atoms

EXACT = 1e-3  # Å; tolerance for crystals that are symmetric by construction


def symmetric_cell(crystal: Crystal, symprec: float) -> Crystal:
    """The standard primitive cell, with atoms and lattice exactly where the symmetry wants them.

    Args:
        crystal: Any cell of the crystal.
        symprec: Tolerance in Å; where no symmetry is read, the crystal stays as it is.
    """
    data = dataset_of(crystal, symprec)
    if data is None:
        return crystal
    cell = data.prim_std_cell
    return Crystal(cell.basis, cell.numbers, cell.positions)


def relaxed(crystal: Crystal, oracle: Potential, settings: PhononSettings) -> Label:
    """Relax cell and positions; what would break the symmetry is left out of forces and stresses.

    Args:
        crystal: A primitive cell, exactly symmetric.
        oracle: Whose forces.
        settings: How tightly, and in how many steps.
    """
    _, motions = primitive_motions(crystal, EXACT)

    def evaluate(many: Sequence[Atoms]) -> list[Results]:
        return [_symmetrized(one, atoms, motions) for one, atoms in zip(oracle.evaluate(many), many, strict=True)]

    fault = oracle.settings.fault
    [(_, label)] = relax_all([crystal], evaluate, fault, fmax=settings.fmax, max_steps=settings.max_steps)
    return label


def _symmetrized(results: Results, atoms: Atoms, motions: Sequence[Motion]) -> Results:
    """The same with forces and stresses averaged over the operations of a space group."""
    from ase.stress import full_3x3_to_voigt_6_stress, voigt_6_to_full_3x3_stress

    lattice, forces = atoms.cell.array, np.zeros((len(atoms), 3))
    stress, given = np.zeros((3, 3)), np.asarray(results["stress"], dtype=float)
    full = voigt_6_to_full_3x3_stress(given) if given.shape == (6,) else given
    for motion in motions:
        turn = np.linalg.inv(lattice) @ motion.rotation.T @ lattice  # of row vectors
        forces[motion.image] += results["forces"] @ turn / len(motions)
        stress += turn.T @ full @ turn / len(motions)
    return {"energy": results["energy"], "forces": forces, "stress": full_3x3_to_voigt_6_stress(stress)}
