"""How phonons are computed, and what counts as stable."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PhononSettings:
    """Everything that changes a verdict, other than the oracle.

    Attributes:
        min_length: Periodic images of an atom in the supercell are at least so far apart, Å.
        max_atoms: Atoms of the largest supercell.
        tolerance: A mode is imaginary if its frequency is further below zero than this, THz. Imaginary frequencies are
            written as negative ones; smaller ones are within the error of finite displacements and of interpolation.
        fmax: Largest residual force of a relaxation, eV/Å.
        max_steps: Steps after which a relaxation counts as failed.
        displacement: By which atoms are displaced for the force constants, Å. Larger than usual, as potentials with
            angles in them may have a cusp where bonds are straight, and then no second derivative (docs/phonons.md).
        mesh_length: The mesh of wave vectors is as fine as a supercell with images so far apart, Å.
        amplitude: Largest displacement of an atom where an imaginary mode is followed, Å.
        min_gain: An imaginary mode makes a crystal unstable if following it gains at least this, eV/atom.
        symprec: Tolerance in Å by which the symmetry of a discovery is read, and kept while it is relaxed.
    """

    min_length: float = 8.0
    max_atoms: int = 120
    tolerance: float = 0.3
    fmax: float = 0.005
    max_steps: int = 500
    displacement: float = 0.05
    mesh_length: float = 40.0
    amplitude: float = 0.2
    min_gain: float = 0.001
    symprec: float = 0.01
