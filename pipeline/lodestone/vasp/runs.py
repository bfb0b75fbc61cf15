"""A finished run of VASP, as its ``vasprun.xml`` tells it: crystal, energy, and the corrections of a scheme."""

from __future__ import annotations

import gzip
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.vasp.corrections import correction
from lodestone.vasp.faults import MisfitError, NotConvergedError, UnreadableRunError
from lodestone.vasp.functionals import functional_fault

if TYPE_CHECKING:
    from pymatgen.core.entries import ComputedStructureEntry

_MOST_BYTES = 2**28  # of a run when unpacked
_STEPS = "nionic_steps"


@dataclass(frozen=True)
class Run:
    """What a finished run says.

    Attributes:
        crystal: As it was relaxed.
        uncorrected_energy_per_atom: Total energy as VASP gives it, eV/atom.
        energy_correction_per_atom: What the correction scheme adds, eV/atom.
        n_steps: Ionic steps.
    """

    crystal: Crystal
    uncorrected_energy_per_atom: float
    energy_correction_per_atom: float
    n_steps: int

    @property
    def energy_per_atom(self) -> float:
        """Total energy with the correction, eV/atom."""
        return self.uncorrected_energy_per_atom + self.energy_correction_per_atom


def corrected_run(content: bytes, label_method: str, correction_scheme: str) -> Run:
    """A finished run with the corrections of a scheme, as snapshots and oracles take it.

    Args:
        content: A ``vasprun.xml``, packed with gzip or not.
        label_method: Names the functional that the run must have.
        correction_scheme: Whose corrections, as pymatgen computes them, are added.

    Raises:
        UnreadableRunError: As for :func:`read_run`.
        MisfitError: If the functional is another, or the scheme is not for such a run.
    """
    entry = read_run(content)
    if fault := functional_fault(entry.parameters, label_method):
        raise MisfitError(fault)
    crystal = Crystal.from_pymatgen(entry.structure)
    return Run(
        crystal=crystal,
        uncorrected_energy_per_atom=entry.uncorrected_energy / len(crystal),
        energy_correction_per_atom=correction(entry, correction_scheme) / len(crystal),
        n_steps=int(entry.data[_STEPS]),
    )


def read_run(content: bytes) -> ComputedStructureEntry:
    """A finished run as an entry of pymatgen, without corrections.

    Args:
        content: A ``vasprun.xml``, packed with gzip or not.

    Raises:
        UnreadableRunError: If it is damaged, not finished, or has no energy.
        NotConvergedError: If it is not converged.
    """
    text = _unpacked(content)
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise UnreadableRunError("is no vasprun.xml: it declares a type of its own")
    run = _parsed(text)
    if not run.converged:
        raise NotConvergedError("ions" if run.converged_electronic else "electrons")
    entry: ComputedStructureEntry = run.get_computed_entry(entry_id="run", data=[_STEPS])
    if not np.isfinite(entry.uncorrected_energy):
        raise UnreadableRunError("has no total energy")
    return entry


def _parsed(text: bytes) -> Any:
    from pymatgen.io.vasp.outputs import Vasprun

    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they are about is checked by us
        file = Path(folder) / "vasprun.xml"
        file.write_bytes(text)
        try:
            run = Vasprun(file, parse_dos=False, parse_eigen=False, parse_potcar_file=False)
            _ = run.converged, run.final_energy, run.run_type  # which raise where their parts are missing
        except Exception as error:  # pymatgen raises many types
            reason = str(error).split("\n")[0][:120]
            raise UnreadableRunError(f"does not parse ({reason}): is the run still going on?") from error
    return run


def _unpacked(content: bytes) -> bytes:
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return b"".join(_bounded(gzip.GzipFile(fileobj=BytesIO(content))))
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableRunError(f"is damaged: {error}") from error


def _bounded(stream: gzip.GzipFile) -> Iterator[bytes]:
    total = 0
    while piece := stream.read(2**20):
        total += len(piece)
        if total > _MOST_BYTES:
            raise UnreadableRunError(f"has more than {_MOST_BYTES // 2**20} MiB when unpacked")
        yield piece
