"""Results as they come back, in any of the formats that are read, each brought to one scale or refused."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.snapshot.files.entries import entry_parts
from lodestone.snapshot.files.file import holds_runs
from lodestone.snapshot.files.json_list import read_objects
from lodestone.snapshot.files.structure_folder import read_structure_folder
from lodestone.snapshot.files.vasp_runs import read_runs
from lodestone.snapshot.structures import UnreadableStructureError, parse_structure
from lodestone.vasp.corrections import NONE, class_of, correction, is_same, stated_classes, stated_scheme_fault
from lodestone.vasp.functionals import functional_fault

if TYPE_CHECKING:
    from pymatgen.core.entries import ComputedStructureEntry

_KEYS = ("material_id", "energy_per_atom")
_LABELS = ("label_method", "correction_scheme")
_FORMATS = "vasprun.xml, a folder or zip of runs, JSON of ComputedStructureEntry, or CSV"


@dataclass(frozen=True)
class Kind:
    """What energies are.

    Attributes:
        label_method: What makes them.
        correction_scheme: Their correction scheme.
    """

    label_method: str
    correction_scheme: str


@dataclass(frozen=True)
class Result:
    """One result.

    Attributes:
        name: What the file calls it: a folder, an entry_id or a material_id.
        origin: The file, for messages.
        energy_per_atom: Total energy with corrections, eV/atom; ``None`` if there is none.
        crystal: The relaxed crystal; ``None`` where the file holds energies only.
        fault: Why it cannot be taken; ``None`` if it can.
        verdict: The user's own word on why there will be no energy; ``None`` where they have said nothing.
    """

    name: str
    origin: str
    energy_per_atom: float | None = None
    crystal: Crystal | None = None
    fault: str | None = None
    verdict: str | None = None


def read_results(path: Path, kind: Kind) -> Iterator[Result]:
    """All results of a file or folder.

    Args:
        path: ``vasprun.xml``; a folder or zip of runs, or of structures with a table ``energies.csv``; JSON of
            pymatgen's ``ComputedStructureEntry``; or CSV with the columns ``material_id``, ``energy_per_atom`` (total
            energy with corrections) and, if wanted, ``status`` (why a candidate will get none).
        kind: What the energies must be.

    Raises:
        LodestoneError: If the file is missing or damaged, or nothing of it could be a result.
    """
    name = path.name.lower()
    if not path.exists():
        raise LodestoneError(f"{path} does not exist", "correct the path")
    if holds_runs(path):
        return _of_rows(*read_runs(path, kind.label_method, kind.correction_scheme)[:2], path)
    if path.is_dir() or name.endswith(".zip"):
        return _of_rows(*read_structure_folder(path)[:2], path)
    if name.endswith((".json", ".json.gz")):
        return (_of_entry(entry, path, kind) for entry in read_objects(path, "list of ComputedStructureEntry"))
    if name.endswith(".csv"):
        return _of_csv(path, kind)
    raise LodestoneError(f"{path} is of no format that labels are read from", f"give {_FORMATS}")


def _of_rows(table: Any, crystals: list[Any], path: Path) -> Iterator[Result]:
    energies = table["energy_per_atom"] if "energy_per_atom" in table.columns else [None] * len(table)
    for name, energy, raw in zip(table["material_id"], energies, crystals, strict=True):
        try:
            crystal = parse_structure(raw)
        except UnreadableStructureError as error:
            yield Result(str(name), str(path), fault=str(error))
        else:
            yield _checked(Result(str(name), str(path), energy, crystal))


def _of_entry(entry: Mapping[str, Any], path: Path, kind: Kind) -> Result:
    name = str(entry.get("entry_id"))
    try:
        crystal, uncorrected, stated = entry_parts(entry)
        fault = functional_fault(_parameters(entry), kind.label_method)
        if fault:
            raise UnreadableStructureError(fault)
        energy = uncorrected + _correction(entry, crystal, (uncorrected, stated), kind.correction_scheme)
    except ValueError as error:
        return Result(name, str(path), fault=str(error))
    return _checked(Result(name, str(path), energy, crystal))


def _correction(entry: Mapping[str, Any], crystal: Crystal, energies: tuple[float, float], scheme: str) -> float:
    """Correction of an entry, eV/atom: as it states it, if that is by the scheme; else the scheme's own."""
    adjustments, (uncorrected, stated) = entry.get("energy_adjustments") or [], energies
    if fault := stated_scheme_fault(adjustments, scheme):
        raise UnreadableStructureError(fault)
    if adjustments and set(stated_classes(adjustments)) == {class_of(scheme)}:
        return stated
    computed = correction(_bare(crystal, uncorrected, entry), scheme) / len(crystal)
    if stated and not is_same(stated, computed):
        wanted = "none" if scheme == NONE else f"{computed:.3f} by {scheme}"
        raise UnreadableStructureError(f"its correction of {stated:.3f} eV/atom should be {wanted}")
    return computed


def _bare(crystal: Crystal, uncorrected: float, entry: Mapping[str, Any]) -> ComputedStructureEntry:
    from pymatgen.core.entries import ComputedStructureEntry

    energy = uncorrected * len(crystal)
    return ComputedStructureEntry(crystal.to_pymatgen(), energy, parameters=dict(_parameters(entry)))


def _parameters(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    parameters = entry.get("parameters")
    return parameters if isinstance(parameters, Mapping) else {}


def _of_csv(path: Path, kind: Kind) -> Iterator[Result]:
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), strict=True))
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise LodestoneError(f"{path} is no CSV in UTF-8: {error}", "save it again as comma-separated UTF-8") from error
    columns = [str(name).strip() for name in rows[0]] if rows else []
    if lacking := [key for key in _KEYS if key not in columns]:
        raise LodestoneError(
            f"{path} has no column {lacking[0]}; it has {', '.join(columns) or 'no rows'}",
            "it needs material_id and energy_per_atom: the total energy with corrections, eV/atom",
        )
    for row in rows:
        yield _of_csv_row({str(name).strip(): str(text or "").strip() for name, text in row.items()}, path, kind)


def _of_csv_row(row: Mapping[str, str], path: Path, kind: Kind) -> Result:
    name, text, status = row["material_id"], row["energy_per_atom"], row.get("status", "")
    for label in _LABELS:
        if row.get(label) not in (None, "", wanted := getattr(kind, label)):
            return Result(name, str(path), fault=f"{label} is {row[label]}, not {wanted}")
    if status and status != "ok":
        return Result(name, str(path), verdict=status, fault="has both a status and an energy" if text else None)
    try:
        return _checked(Result(name, str(path), float(text)))
    except ValueError:
        return Result(name, str(path), fault=f"energy_per_atom is {text[:40]!r}; a number is expected")


def _checked(result: Result) -> Result:
    energy = result.energy_per_atom
    if energy is None or not math.isfinite(energy):
        return Result(result.name, result.origin, fault="has no energy_per_atom, the total energy in eV/atom")
    return result
