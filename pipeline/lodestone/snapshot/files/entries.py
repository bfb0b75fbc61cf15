"""Source ``file`` as JSON of pymatgen's ``ComputedStructureEntry``, read without its objects, which are slow."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import SYMBOLS
from lodestone.errors import LodestoneError
from lodestone.snapshot.files.json_lines import is_number, is_text
from lodestone.snapshot.files.json_list import read_objects
from lodestone.snapshot.source import OUTLINE
from lodestone.snapshot.structures import UnreadableStructureError, parse_structure
from lodestone.vasp.corrections import is_known, stated_scheme_fault
from lodestone.vasp.functionals import functional_fault, named_functionals

# Beyond both, the list holds something else, and endless reasons would fill the memory.
FEW, MOST_UNREAD = 1000, 0.9
_KIND = "ComputedStructureEntry"
_SHARE = 1e-6  # of an element in the composition
_TOLERANCE = 1e-3  # eV: how far rounding may move a stored correction from the sum of its adjustments
_CORRECTED = ("energy_per_atom", "uncorrected_energy_per_atom", "energy_correction_per_atom")
# What each kind of adjustment multiplies to, as in pymatgen.core.entries.
_FACTORS = {
    "EnergyAdjustment": ("value",),
    "ConstantEnergyAdjustment": ("value",),
    "ManualEnergyAdjustment": ("value",),
    "CompositionEnergyAdjustment": ("adj_per_atom", "n_atoms"),
    "TemperatureEnergyAdjustment": ("adj_per_deg", "temp", "n_atoms"),
}


def read_entries(path: Path, label_method: str = "", correction_scheme: str = "") -> tuple[pl.DataFrame, list[Any]]:
    """Read a list of entries; ``entry_id`` becomes the ``material_id``.

    Energies are total energies: uncorrected, the correction, and their sum, the same numbers as pymatgen's per atom.

    Args:
        path: The file.
        label_method: What the energies should be of; entries whose parameters state another functional than it names
            are refused.
        correction_scheme: Their scheme; entries that state another one that pymatgen knows are refused.

    Returns:
        One row per entry, and its crystal, or the :class:`UnreadableStructureError` that says what is wrong.

    Raises:
        LodestoneError: If the file is damaged, cut off or not a list of entries, or hardly any entry is usable.
    """
    rows, crystals, unread = [], [], 0
    for entry in read_objects(path, f"list of {_KIND} dictionaries"):
        name, energies, crystal = _row(entry, label_method, correction_scheme)
        rows.append((name, *energies))
        crystals.append(crystal)
        unread += isinstance(crystal, UnreadableStructureError)
        if unread > max(FEW, MOST_UNREAD * len(rows)):
            raise LodestoneError(
                f"{path}: {unread} of the first {len(rows)} entries are not usable; the last of them: {crystal}",
                f"give a list of {_KIND} dictionaries, as json.dump writes it",
            )
    schema = {name: OUTLINE[name] for name in ("material_id", *_CORRECTED)}
    return pl.DataFrame(rows, schema=schema, orient="row"), crystals


def kind_fault(entry: Mapping[str, Any], label_method: str, correction_scheme: str) -> str | None:
    """Why an entry is not of this method and scheme, as far as it and their names say, or ``None``."""
    parameters, adjustments = entry.get("parameters"), entry.get("energy_adjustments") or []
    if isinstance(parameters, Mapping) and named_functionals(label_method):
        fault = functional_fault(parameters, label_method)
        if fault is not None:
            return fault
    return stated_scheme_fault(adjustments, correction_scheme) if is_known(correction_scheme) else None


def _row(
    entry: Mapping[str, Any], label_method: str, correction_scheme: str
) -> tuple[str | None, tuple[float | None, ...], Any]:
    name = entry.get("entry_id")
    name = str(name) if type(name) is int else name
    try:
        if name is not None and not is_text(name):
            raise UnreadableStructureError(f"entry_id is {str(name)[:40]!r}; text is expected")
        crystal = _crystal(entry)
        energies = _energies(entry, crystal)
        if fault := kind_fault(entry, label_method, correction_scheme):
            raise UnreadableStructureError(fault)
        return name, energies, crystal
    except (ValueError, OverflowError) as error:  # sums of infinities, too
        return name if is_text(name) else None, (None, None, None), UnreadableStructureError(*error.args)


def entry_parts(entry: Mapping[str, Any]) -> tuple[Crystal, float, float]:
    """Crystal, uncorrected energy and stated correction of an entry, eV/atom.

    Raises:
        ValueError: Says what is wrong with it.
    """
    try:
        crystal = _crystal(entry)
        _, uncorrected, correction = _energies(entry, crystal)
    except OverflowError as error:  # sums of infinities
        raise UnreadableStructureError(*error.args) from error
    return crystal, uncorrected, correction


def _crystal(entry: Mapping[str, Any]) -> Crystal:
    kind = entry.get("@class", _KIND)
    if kind != _KIND or entry.get("structure") is None:
        raise UnreadableStructureError(f"no structure: a {str(kind)[:40]}, where a {_KIND} is needed")
    return parse_structure(entry["structure"])


def _energies(entry: Mapping[str, Any], crystal: Crystal) -> tuple[float, float, float]:
    """Corrected and uncorrected energy and their difference, eV/atom."""
    energy, correction = _number(entry.get("energy"), "energy"), _correction(entry)
    size = _size(entry.get("composition"), crystal)
    return (energy + correction) / size, energy / size, correction / size


def _correction(entry: Mapping[str, Any]) -> float:
    stated = entry.get("correction")
    adjustments = entry.get("energy_adjustments") or []
    if not adjustments:  # as written before pymatgen had adjustments
        return _number(stated, "correction") if stated is not None else 0.0
    if not isinstance(adjustments, list):
        raise UnreadableStructureError("energy_adjustments is no list")
    total = math.fsum(_adjustment(adjustment) for adjustment in adjustments)
    if stated is not None and not abs(_number(stated, "correction") - total) <= _TOLERANCE:
        raise UnreadableStructureError(f"correction is {stated} eV, but energy_adjustments add up to {total:.6g}")
    return total


def _adjustment(adjustment: Any) -> float:
    kind = adjustment.get("@class") if isinstance(adjustment, Mapping) else adjustment
    if not isinstance(kind, str) or kind not in _FACTORS:
        raise UnreadableStructureError(f"energy adjustment of the unknown kind {str(kind)[:40]}")
    return math.prod(_number(adjustment.get(name), f"{name} of an energy adjustment") for name in _FACTORS[kind])


def _size(composition: Any, crystal: Crystal) -> float:
    """Number of atoms that the energy refers to: those of the composition, which may be a multiple of the cell's."""
    if not composition:
        return len(crystal)
    if not isinstance(composition, Mapping):
        raise UnreadableStructureError("composition is no mapping of elements to amounts")
    amounts: defaultdict[str, float] = defaultdict(float)
    for species, amount in composition.items():
        amounts[re.sub(r"[^A-Za-z].*", "", species)] += _number(amount, "composition")
    total = math.fsum(amounts.values())
    numbers, counts = np.unique(crystal.atomic_numbers, return_counts=True)
    shares = {SYMBOLS[z]: int(n) / len(crystal) for z, n in zip(numbers, counts, strict=True)}
    same = total > 0 and amounts.keys() == shares.keys()
    if not (same and all(abs(amounts[symbol] / total - share) < _SHARE for symbol, share in shares.items())):
        formula = " ".join(f"{symbol}{amount:g}" for symbol, amount in amounts.items())
        raise UnreadableStructureError(f"composition {formula[:60]} is not that of the structure")
    return total


def _number(value: Any, name: str) -> float:
    if not is_number(value):
        raise UnreadableStructureError(f"{name} is {str(value)[:40]!r}; a number is expected")
    return float(value)
