"""Source ``file`` as extended XYZ: each frame a crystal, its energies and identifier in the comment line."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import SYMBOLS
from lodestone.errors import LodestoneError
from lodestone.snapshot.source import OUTLINE
from lodestone.snapshot.structures import UnreadableStructureError

_TEXT = ("material_id", "created_at")
_NUMBERS = tuple(name for name, dtype in OUTLINE.items() if dtype.is_float())
_TOLERANCE = 1e-6  # eV/atom


def read_extended_xyz(path: Path) -> tuple[pl.DataFrame, list[Any]]:
    """Read all frames.

    Energies are the keys ``formation_energy_per_atom`` and ``energy_per_atom`` of the comment line, or the total
    ``energy`` of the cell (where ASE writes a calculator's), which is divided by the number of atoms. ``material_id``
    names the crystal; without it, the name of the file and the number of the frame do. Other energies of a table of
    crystals, and ``created_at``, are used if present.

    Returns:
        One row per frame, and its crystal, or the :class:`UnreadableStructureError` that says what is wrong.

    Raises:
        LodestoneError: If the file cannot be read or is cut off; names the line.
    """
    rows: list[dict[str, Any]] = []
    crystals: list[Any] = []
    for number, frame in enumerate(_frames(path), start=1):
        row = dict.fromkeys((*_TEXT, *_NUMBERS)) | {"material_id": f"{path.stem}-{number}"}
        try:
            _check_keys(frame[1])
            info, crystal = _parse(frame)
            row |= {name: text for name in _TEXT if (text := _text(frame[1], name)) is not None}
            row |= _energies(info, len(crystal))
            crystals.append(crystal)
        except UnreadableStructureError as error:
            crystals.append(UnreadableStructureError(*error.args))
        rows.append(row)
    return pl.DataFrame(rows, schema={name: OUTLINE[name] for name in (*_TEXT, *_NUMBERS)}), crystals


def _frames(path: Path) -> Iterator[list[str]]:
    """The lines of each frame. ASE would stop at an empty line and lose the rest."""
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise LodestoneError(f"{path} is no readable text in UTF-8: {error}", "save it as UTF-8") from error
    start, end = 0, len(lines)
    while start < end:
        if not lines[start].strip():
            start += 1
            continue
        if not re.fullmatch(r"\s*\d{1,7}\s*", lines[start], re.ASCII):
            line = f"{path}, line {start + 1}: {lines[start][:40]!r}"
            problem = f"{line}, where the number of atoms of a frame is expected"
            raise LodestoneError(problem, "correct the file; a frame may have too few or too many lines")
        count = int(lines[start])
        frame = lines[start : start + 2 + count]
        if len(frame) < 2 + count or not all(line.strip() for line in frame[2:]):
            problem = f"{path}, line {start + 1}: a frame of {count} atoms has fewer lines than that"
            raise LodestoneError(problem, "it may be truncated: make or download it again")
        yield frame
        start += 2 + count


def _check_keys(comment: str) -> None:
    for name in ("Lattice", "Properties", "energy", *_TEXT, *_NUMBERS):
        if len(re.findall(rf"(?:^|\s){name}=", comment)) > 1:
            raise UnreadableStructureError(f"the comment line says {name} twice")


def _parse(frame: list[str]) -> tuple[Mapping[str, Any], Crystal]:
    from ase import Atoms
    from ase.io import read

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            atoms = read(io.StringIO("\n".join(frame) + "\n"), index=0, format="extxyz")
        assert isinstance(atoms, Atoms)  # noqa: S101 - as ASE documents for a single index
        cell, results = atoms.cell, getattr(atoms.calc, "results", {})
        if not len(atoms) or cell.rank < 3 or not atoms.pbc.all():
            raise UnreadableStructureError(
                "frame is no crystal: it needs atoms and a Lattice, periodic in all directions"
            )
        if atoms.numbers.min() < 1 or atoms.numbers.max() >= len(SYMBOLS):
            raise UnreadableStructureError("an atom is of no known element")
        return {**atoms.info, **results}, Crystal.from_ase(atoms)
    except UnreadableStructureError:
        raise
    except Exception as error:  # ASE lets many types of errors through
        reason = " ".join(str(error).split())[:120]
        raise UnreadableStructureError(f"frame does not parse ({type(error).__name__}): {reason}") from error


def _energies(info: Mapping[str, Any], size: int) -> dict[str, float]:
    energies = {name: _number(info[name], name) for name in _NUMBERS if name in info}
    if "energy" not in info:
        return energies
    energy = _number(info["energy"], "energy") / size
    if abs(energies.setdefault("energy_per_atom", energy) - energy) > _TOLERANCE:
        problem = f"energy_per_atom is {energies['energy_per_atom']}, but energy over {size} atoms is {energy}"
        raise UnreadableStructureError(problem)
    return energies


def _text(comment: str, name: str) -> str | None:
    """A value as written in the comment line; ASE would convert what looks like a number, e.g. 001 to 1."""
    match = re.search(rf'(?:^|\s){name}=(?:"([^"]*)"|(\S+))', comment)
    return None if match is None else match[1] if match[2] is None else match[2]


def _number(value: Any, name: str) -> float:
    import numpy as np

    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise UnreadableStructureError(f"{name} is {str(value)[:40]!r}; a number is expected")
    return float(value)
