"""Phonons of a crystal (phonopy; Togo et al., J. Phys.: Condens. Matter 35, 353001 (2023)) and their softest modes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.supercells import Form, supercell
from lodestone.oracles.potential import Potential
from lodestone.phonons.relaxation import EXACT
from lodestone.phonons.supercells import cell_of_wave

if TYPE_CHECKING:
    from ase import Atoms
    from phonopy import Phonopy

_ACOUSTIC = 3  # modes at Γ that move the crystal as a whole


@dataclass(frozen=True, kw_only=True)
class Mode:
    """A mode of vibration.

    Attributes:
        frequency: In THz; negative where it is imaginary.
        q: Its wave vector in units of the reciprocal vectors of the primitive cell, -1/2 to 1/2.
        band: Which of the modes of this wave vector, by frequency.
    """

    frequency: float
    q: tuple[float, float, float]
    band: int


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """The modes of a crystal.

    Attributes:
        held: The softest at a wave vector that the supercell holds: there the force constants are exact.
        softest: The softest of all that were looked at, those between them by interpolation.
        highest: The highest frequency, THz.
        n_displacements: Displaced supercells whose forces were computed.
    """

    held: Mode
    softest: Mode
    highest: float
    n_displacements: int


def phonons_of(crystal: Crystal, form: Form, oracle: Potential, displacement: float) -> Phonopy:
    """Force constants by finite displacements, symmetrized.

    Args:
        crystal: A relaxed primitive cell.
        form: The supercell.
        oracle: Whose forces.
        displacement: In Å.
    """
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    cell = PhonopyAtoms(symbols=crystal.species, cell=crystal.lattice, scaled_positions=crystal.frac_coords)
    phonons = Phonopy(cell, supercell_matrix=np.array(form).T, primitive_matrix=np.eye(3), symprec=EXACT)
    phonons.generate_displacements(distance=displacement)
    displaced = [_atoms(one) for one in phonons.supercells_with_displacements or ()]
    phonons.forces = _forces(displaced, oracle)
    phonons.produce_force_constants(show_drift=False)
    phonons.symmetrize_force_constants(level=3, show_drift=False)
    return phonons


def spectrum(phonons: Phonopy, mesh_length: float) -> Spectrum:
    """Modes at the wave vectors that the supercell holds and on a mesh; without those that move all atoms alike.

    Args:
        phonons: With force constants.
        mesh_length: How fine the mesh is, Å.
    """
    from phonopy.harmonic.dynmat_to_fc import get_commensurate_points

    points = get_commensurate_points(np.array(phonons.supercell_matrix))
    held = _softest(points, phonons.run_qpoints(points).frequencies)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a mesh that the point group does not keep is replaced by one that it keeps
        mesh = phonons.run_mesh(mesh_length, is_gamma_center=True)
    between = _softest(mesh.qpoints, mesh.frequencies)
    return Spectrum(
        held=held,
        softest=min(held, between, key=lambda mode: mode.frequency),
        highest=float(max(mesh.frequencies.max(), held.frequency)),
        n_displacements=len(phonons.supercells_with_displacements or ()),
    )


def displaced_along(crystal: Crystal, phonons: Phonopy, mode: Mode, amplitude: float) -> tuple[Crystal, Crystal]:
    """The crystal with its atoms displaced along a mode and against it, in the smallest cell that holds the wave.

    Args:
        crystal: The primitive cell of the phonons.
        phonons: With force constants.
        mode: Which mode; of several of one frequency, one.
        amplitude: Largest displacement, Å.
    """
    larger = supercell(crystal, cell_of_wave(mode.q))
    waves = displacements(larger, crystal, phonons, mode)
    moved = amplitude * waves / np.linalg.norm(waves, axis=1).max() @ np.linalg.inv(larger.lattice)
    up, down = (
        Crystal(larger.lattice, larger.atomic_numbers, larger.frac_coords + sign * moved) for sign in (1.0, -1.0)
    )
    return up, down


def displacements(larger: Crystal, crystal: Crystal, phonons: Phonopy, mode: Mode) -> np.ndarray:
    """How a mode displaces the atoms of a supercell that holds its wave, in any unit, shape ``(n, 3)``.

    Args:
        larger: The supercell, with copies of the first atom first.
        crystal: The primitive cell of the phonons.
        phonons: With force constants.
        mode: Which mode.
    """
    [vectors] = phonons.run_qpoints([mode.q], with_eigenvectors=True).eigenvectors
    copies = len(larger) // len(crystal)
    polarization = vectors[:, mode.band].reshape(-1, 3) / np.sqrt(phonons.primitive.masses)[:, None]
    where = larger.cart_coords @ np.linalg.inv(crystal.lattice)
    waves = np.repeat(polarization, copies, axis=0) * np.exp(2j * np.pi * where @ np.array(mode.q))[:, None]
    largest = waves.ravel()[np.abs(waves).argmax()]
    return np.real(waves * np.abs(largest) / largest)  # the phase at which an atom moves furthest


def _softest(points: np.ndarray, frequencies: np.ndarray) -> Mode:
    best = None
    for q, values in zip(points, frequencies, strict=True):
        centered = q - np.rint(q)
        bands = np.arange(len(values))
        if np.allclose(centered, 0):
            bands = np.sort(np.argsort(np.abs(values))[_ACOUSTIC:])
        for band in bands[:1]:
            mode = Mode(frequency=float(values[band]), q=_rounded(centered), band=int(band))
            best = mode if best is None or mode.frequency < best.frequency - 1e-6 else best
    if best is None:
        return Mode(frequency=0.0, q=(0.0, 0.0, 0.0), band=0)  # one atom, and no wave vector but Γ
    return best


def _rounded(q: np.ndarray) -> tuple[float, float, float]:
    a, b, c = (float(value) for value in np.round(q, 6) + 0.0)
    return a, b, c


def _forces(displaced: Sequence[Atoms], oracle: Potential) -> np.ndarray:
    """Shape ``(supercells, atoms, 3)``, eV/Å."""
    width = oracle.width
    groups = [displaced[start : start + width] for start in range(0, len(displaced), width)]
    return np.array([results["forces"] for group in groups for results in oracle.evaluate(group)], dtype=float)


def _atoms(cell: Any) -> Atoms:
    from ase import Atoms

    return Atoms(numbers=cell.numbers, cell=cell.cell, scaled_positions=cell.scaled_positions, pbc=True)
