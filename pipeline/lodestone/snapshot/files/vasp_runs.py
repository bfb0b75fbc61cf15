"""Runs of VASP as their ``vasprun.xml`` tells them: one file, or a folder or zip with one run in each folder."""

from __future__ import annotations

import gzip
import re
import warnings
import zlib
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.runtime.progress import track
from lodestone.snapshot.corrections import class_of, correction
from lodestone.snapshot.files.collection import MOST_BYTES_PER_FILE, opened_collection
from lodestone.snapshot.functionals import functional_fault
from lodestone.snapshot.source import OUTLINE
from lodestone.snapshot.structures import UnreadableStructureError, parse_structure

if TYPE_CHECKING:
    from pymatgen.core.entries import ComputedStructureEntry

_VASPRUN = re.compile(r"vasprun([._-][\w.-]*)?\.xml([._-]\w+)*", re.IGNORECASE)
_CORRECTED = ("energy_per_atom", "uncorrected_energy_per_atom", "energy_correction_per_atom")


def is_vasprun(path: str) -> bool:
    """Whether a file is a run of VASP by its name: ``vasprun.xml``, ``vasprun.xml.relax2.gz`` and the like."""
    return bool(_VASPRUN.fullmatch(PurePosixPath(path).name))


def read_runs(path: Path, label_method: str, correction_scheme: str) -> tuple[pl.DataFrame, list[Any], str]:
    """Read all runs, and bring their energies to a correction scheme.

    A run is named by its folder, relative to ``path``. Of several in one folder, ``vasprun.xml`` itself counts, or else
    the one whose name is the last.

    Args:
        path: A ``vasprun.xml``, or a folder or zip in which there are some.
        label_method: Names the functional that the runs must have.
        correction_scheme: Whose corrections are added to the energies.

    Returns:
        One row per run with its identifier and energies; the relaxed crystal of each, or the
        :class:`UnreadableStructureError` that says what is wrong with the run; and a hash of all files.

    Raises:
        LodestoneError: If there is no run, a file is too large, or pymatgen does not know the scheme.
    """
    class_of(correction_scheme)
    rows, crystals = [], []
    with opened_collection(path, is_vasprun) as collection:
        runs = _last_of_each_folder(collection.files)
        for name, file in track(sorted(runs.items()), len(runs), "runs"):
            energies, crystal = _result(collection.read, file, label_method, correction_scheme)
            rows.append((_identifier(name, path), *energies))
            crystals.append(crystal)
        if not rows:
            raise LodestoneError(f"{path} holds no vasprun.xml", "name the folder that VASP ran in, or one above it")
        digest = collection.digest()
    schema = {name: OUTLINE[name] for name in ("material_id", *_CORRECTED)}
    return pl.DataFrame(rows, schema=schema, orient="row"), crystals, digest


def read_run(content: bytes) -> ComputedStructureEntry:
    """A finished run as an entry of pymatgen, without corrections.

    Args:
        content: A ``vasprun.xml``, packed with gzip or not.

    Raises:
        UnreadableStructureError: If it is damaged, not finished, not converged, or has no energy.
    """
    text = _unpacked(content)
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise UnreadableStructureError("is no vasprun.xml: it declares a type of its own")
    run = _parsed(text)
    if not run.converged:
        which = "electrons" if not run.converged_electronic else "ions"
        raise UnreadableStructureError(f"is not converged ({which}): continue the run, or leave it out")
    entry: ComputedStructureEntry = run.get_computed_entry(entry_id="run")
    if not np.isfinite(entry.uncorrected_energy):
        raise UnreadableStructureError("has no total energy")
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
            raise UnreadableStructureError(f"does not parse ({reason}): is the run still going on?") from error
    return run


def _result(
    read: Any, file: str, label_method: str, scheme: str
) -> tuple[tuple[float | None, ...], Crystal | UnreadableStructureError]:
    """Energies per atom (corrected, uncorrected, correction) and the crystal of a run, or what is wrong with it."""
    try:
        entry = read_run(read(file))
        if fault := functional_fault(entry.parameters, label_method):
            raise UnreadableStructureError(fault)
        crystal = parse_structure(Crystal.from_pymatgen(entry.structure))
        added, energy = correction(entry, scheme) / len(crystal), entry.uncorrected_energy / len(crystal)
    except ValueError as error:  # of the collection, too
        return (None, None, None), UnreadableStructureError(f"{file} {error}")
    return (energy + added, energy, added), crystal


def _last_of_each_folder(files: Sequence[str]) -> dict[str, str]:
    """The run of each folder, by the folder."""
    last: dict[str, str] = {}
    for file in sorted(files, key=_rank):
        last[str(PurePosixPath(file).parent)] = file
    return last


def _rank(file: str) -> tuple[bool, list[tuple[int, str]]]:
    """Numbers in a name count as such: relax10 comes after relax2. What VASP has just written comes last."""
    name = PurePosixPath(file).name
    parts = [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", name)]
    return name.lower() in ("vasprun.xml", "vasprun.xml.gz"), parts


def _identifier(folder: str, path: Path) -> str:
    """The folder of a run; at the top, that of ``path`` itself."""
    if folder != ".":
        return folder
    at = path.resolve()
    return at.name if at.is_dir() else at.parent.name if is_vasprun(at.name) else at.stem


def _unpacked(content: bytes) -> bytes:
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return b"".join(_bounded(gzip.GzipFile(fileobj=BytesIO(content))))
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableStructureError(f"is damaged: {error}") from error


def _bounded(stream: gzip.GzipFile) -> Iterator[bytes]:
    total = 0
    while piece := stream.read(2**20):
        total += len(piece)
        if total > MOST_BYTES_PER_FILE:
            raise UnreadableStructureError(f"has more than {MOST_BYTES_PER_FILE // 2**20} MiB when unpacked")
        yield piece
