"""Runs of VASP as their ``vasprun.xml`` tells them: one file, or a folder or zip with one run in each folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.runtime.progress import track
from lodestone.snapshot.files.collection import opened_collection
from lodestone.snapshot.source import OUTLINE
from lodestone.snapshot.structures import UnreadableStructureError, parse_structure
from lodestone.vasp.corrections import class_of
from lodestone.vasp.runs import corrected_run

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


def _result(
    read: Any, file: str, label_method: str, scheme: str
) -> tuple[tuple[float | None, ...], Crystal | UnreadableStructureError]:
    """Energies per atom (corrected, uncorrected, correction) and the crystal of a run, or what is wrong with it."""
    try:
        run = corrected_run(read(file), label_method, scheme)
        crystal = parse_structure(run.crystal)
    except ValueError as error:  # of the collection, too
        return (None, None, None), UnreadableStructureError(f"{file} {error}")
    return (run.energy_per_atom, run.uncorrected_energy_per_atom, run.energy_correction_per_atom), crystal


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
