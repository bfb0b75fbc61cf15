"""The verdict on one crystal: relax, compute its phonons, and follow an imaginary mode once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import encode
from lodestone.crystals.motions import primitive_motions
from lodestone.crystals.supercells import Form
from lodestone.crystals.symmetry import symmetry_of
from lodestone.errors import LodestoneError
from lodestone.oracles.attempt import reason
from lodestone.oracles.base import Label
from lodestone.oracles.potential import Potential
from lodestone.phonons.modes import Mode, Spectrum, displaced_along, phonons_of, spectrum
from lodestone.phonons.relaxation import EXACT, relaxed, symmetric_cell
from lodestone.phonons.settings import PhononSettings
from lodestone.phonons.supercells import image_distance, smallest_supercell

if TYPE_CHECKING:
    from phonopy import Phonopy

Verdict = dict[str, Any]
BETWEEN = "imaginary only between the wave vectors that the supercell holds, where frequencies are interpolated"
SHALLOW = "an imaginary mode, but following it gains too little to tell"


@dataclass(frozen=True, kw_only=True)
class _Computed:
    """A relaxed crystal and its phonons, as far as they could be computed."""

    label: Label
    crystal: Crystal
    verdict: Verdict
    phonons: Phonopy | None = None
    held: Mode | None = None


def verdict(crystal: Crystal, oracle: Potential, settings: PhononSettings) -> Verdict:
    """Whether a crystal is dynamically stable.

    Args:
        crystal: Any cell.
        oracle: Whose forces.
        settings: How phonons are computed, and what counts as stable.

    Returns:
        What ``docs/phonons.md`` lists under `finds`. ``is_stable`` is ``None`` where there is a ``reason`` why nothing
        can be said.

    Raises:
        LodestoneError: If the installation is at fault.
    """
    began = time.perf_counter()
    try:
        row = _followed(_computed(symmetric_cell(crystal, settings.symprec), oracle, settings), oracle, settings)
    except LodestoneError:
        raise
    except Exception as error:  # an oracle may raise anything
        row = not_computed(reason(error))
    return row | {"seconds": round(time.perf_counter() - began, 2)}


def not_computed(why: str) -> Verdict:
    """The verdict where there are no phonons."""
    return {"is_stable": None, "reason": why, "is_computed": False, "followed": None}


def _computed(crystal: Crystal, oracle: Potential, settings: PhononSettings) -> _Computed:
    """Relax an exactly symmetric crystal and compute its phonons, if they fit the limits."""
    if len(crystal) > settings.max_atoms:
        return _Computed(label=Label("too_large"), crystal=crystal, verdict=not_computed(_too_large(crystal, settings)))
    label = relaxed(crystal, oracle, settings)
    if label.crystal is None:
        return _Computed(label=label, crystal=crystal, verdict=not_computed(f"not relaxed: {label.status}"))
    cell, motions = primitive_motions(label.crystal, EXACT)
    about: Verdict = {
        "n_atoms": len(cell),
        "spacegroup_number": symmetry_of(cell, settings.symprec).spacegroup_number,
        "energy_per_atom": label.energy_per_atom,
    }
    form = smallest_supercell(cell, motions, min_length=settings.min_length, max_atoms=settings.max_atoms)
    if form is None:
        return _Computed(label=label, crystal=cell, verdict=not_computed(_too_large(cell, settings)) | about)
    phonons = phonons_of(cell, form, oracle, settings.displacement)
    modes = spectrum(phonons, settings.mesh_length)
    said = judged(modes, settings.tolerance) | about | _facts(modes, form, cell)
    return _Computed(label=label, crystal=cell, verdict=said, phonons=phonons, held=modes.held)


def _facts(modes: Spectrum, form: Form, cell: Crystal) -> Verdict:
    """What was computed: frequencies in THz, wave vectors in units of the reciprocal vectors of the primitive cell."""
    return {
        "supercell": [list(row) for row in form],
        "n_atoms_supercell": len(cell) * form[0][0] * form[1][1] * form[2][2],
        "image_distance": round(image_distance(cell, form), 3),
        "n_displacements": modes.n_displacements,
        "lowest_frequency": modes.softest.frequency,
        "lowest_q": list(modes.softest.q),
        "lowest_held_frequency": modes.held.frequency,
        "lowest_held_q": list(modes.held.q),
        "highest_frequency": modes.highest,
    }


def judged(modes: Spectrum, tolerance: float) -> Verdict:
    """What frequencies say; what is interpolated alone condemns no crystal.

    Args:
        modes: The softest of them.
        tolerance: How far below zero a frequency is imaginary, THz.
    """
    if modes.held.frequency < -tolerance:
        words: Verdict = {"is_stable": False, "reason": None}
    elif modes.softest.frequency < -tolerance:
        words = {"is_stable": None, "reason": BETWEEN}
    else:
        words = {"is_stable": True, "reason": None}
    return words | {"is_computed": True, "followed": None}


def _followed(found: _Computed, oracle: Potential, settings: PhononSettings) -> Verdict:
    """The verdict with where the softest mode leads, if it is imaginary."""
    if found.verdict["is_stable"] is not False or found.phonons is None or found.held is None:
        return found.verdict
    ways = displaced_along(found.crystal, found.phonons, found.held, settings.amplitude)
    energies = [results["energy"] for way in ways for results in oracle.evaluate([way.to_ase()], derivatives=False)]
    lower = symmetric_cell(ways[energies.index(min(energies))], EXACT)
    end = _computed(lower, oracle, settings)
    row = found.verdict | {"followed": end.verdict | _gain(found, end)}
    gained = row["followed"]["gained"]
    return row | {"is_stable": None, "reason": SHALLOW} if gained is not None and gained < settings.min_gain else row


def _gain(start: _Computed, end: _Computed) -> Verdict:
    """What following a mode has gained, eV/atom, and the crystal that it leads to."""
    if start.label.energy_per_atom is None or end.label.energy_per_atom is None:
        return {"gained": None, "crystal": None}
    gained = start.label.energy_per_atom - end.label.energy_per_atom
    return {"gained": gained, "crystal": encode([end.crystal]).row(0, named=True)}


def _too_large(crystal: Crystal, settings: PhononSettings) -> str:
    return (
        f"too large: its primitive cell has {len(crystal)} atoms, and no supercell of at most {settings.max_atoms} "
        f"keeps its images {settings.min_length:g} Å apart"
    )
