"""Source ``file`` as JSON of pymatgen's ``ComputedStructureEntry``, read without its objects, which are slow."""

from __future__ import annotations

import gzip
import json
import math
import re
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import SYMBOLS
from lodestone.errors import LodestoneError
from lodestone.snapshot.files.json_lines import is_number, is_text
from lodestone.snapshot.source import OUTLINE
from lodestone.snapshot.structures import UnreadableStructureError, parse_structure

MOST_BYTES = 2**32  # unpacked
_KIND = "ComputedStructureEntry"
_SHARE = 1e-6  # of an element in the composition
_TOLERANCE = 1e-3  # eV: what a stored correction may differ from its parts by rounding
_CORRECTED = ("energy_per_atom", "uncorrected_energy_per_atom", "energy_correction_per_atom")
# What each kind of adjustment multiplies to, as in pymatgen.core.entries.
_FACTORS = {
    "EnergyAdjustment": ("value",),
    "ConstantEnergyAdjustment": ("value",),
    "ManualEnergyAdjustment": ("value",),
    "CompositionEnergyAdjustment": ("adj_per_atom", "n_atoms"),
    "TemperatureEnergyAdjustment": ("adj_per_deg", "temp", "n_atoms"),
}


def read_entries(path: Path) -> tuple[pl.DataFrame, list[Any]]:
    """Read a list of entries; ``entry_id`` becomes the ``material_id``.

    Energies are total energies: uncorrected, the correction, and their sum, the same numbers as pymatgen's per atom.

    Returns:
        One row per entry, and its crystal, or the :class:`UnreadableStructureError` that says what is wrong with it.

    Raises:
        LodestoneError: If the file is damaged, cut off, or no list of entries.
    """
    rows, crystals = [], []
    for entry in _elements(_text(path), path):
        name, energies, crystal = _row(entry)
        rows.append((name, *energies))
        crystals.append(crystal)
    schema = {name: OUTLINE[name] for name in ("material_id", *_CORRECTED)}
    return pl.DataFrame(rows, schema=schema, orient="row"), crystals


def _row(entry: Mapping[str, Any]) -> tuple[str | None, tuple[float | None, ...], Any]:
    name = entry.get("entry_id")
    name = str(name) if type(name) is int else name
    try:
        if name is not None and not is_text(name):
            raise UnreadableStructureError(f"entry_id is {str(name)[:40]!r}; text is expected")
        crystal = _crystal(entry)
        return name, _energies(entry, crystal), crystal
    except (ValueError, OverflowError) as error:  # sums of infinities, too
        return name if is_text(name) else None, (None, None, None), UnreadableStructureError(*error.args)


def _text(path: Path) -> str:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise LodestoneError(f"{path} has more than {MOST_BYTES // 2**30} GiB when unpacked", "split it")
        return content.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        remedy = "it may be truncated: make or download it again"
        raise LodestoneError(f"{path} is no readable JSON in UTF-8: {error}", remedy) from error


def _elements(text: str, path: Path) -> Iterator[dict[str, Any]]:
    """Elements of a JSON list, one after the other, so that only one of them is in memory as objects."""
    position, decoder = _skip(text, 0), json.JSONDecoder()
    if text[position : position + 1] != "[":
        raise LodestoneError(f"{path} is no JSON list", f"give a list of {_KIND} dictionaries, as json.dump writes it")
    position, number = _skip(text, position + 1), 0
    while text[position : position + 1] != "]" or (number and text[:position].rstrip().endswith(",")):
        number += 1
        try:
            found, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise _damaged(path, number, str(error)) from error
        if not isinstance(found, dict):
            raise _damaged(path, number, f"a {type(found).__name__}, not an object")
        yield found
        position = _skip(text, position)
        if text[position : position + 1] == ",":
            position = _skip(text, position + 1)
        elif text[position : position + 1] != "]":
            raise _damaged(path, number, "the list does not go on or end after it")
    if text[position + 1 :].strip():
        raise _damaged(path, number, "something follows the list")


def _skip(text: str, position: int) -> int:
    return re.compile(r"[ \t\n\r]*").match(text, position).end()  # type: ignore[union-attr]


def _damaged(path: Path, number: int, told: str) -> LodestoneError:
    return LodestoneError(f"{path}, entry {number}: {told}", "it may be truncated: make or download it again")


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
    if not adjustments:  # as before pymatgen had adjustments
        return _number(stated, "correction") if stated is not None else 0.0
    if not isinstance(adjustments, list):
        raise UnreadableStructureError("energy_adjustments is no list")
    total = math.fsum(_adjustment(found) for found in adjustments)
    if stated is not None and not abs(_number(stated, "correction") - total) <= _TOLERANCE:
        raise UnreadableStructureError(f"correction is {stated} eV, but energy_adjustments add up to {total:.6g}")
    return total


def _adjustment(found: Any) -> float:
    kind = found.get("@class") if isinstance(found, Mapping) else found
    if not isinstance(kind, str) or kind not in _FACTORS:
        raise UnreadableStructureError(f"energy adjustment of the unknown kind {str(kind)[:40]}")
    return math.prod(_number(found.get(name), f"{name} of an energy adjustment") for name in _FACTORS[kind])


def _size(composition: Any, crystal: Crystal) -> float:
    """Atoms that the energy is of: those of the composition, which may be a multiple of the cell's."""
    if not composition:
        return len(crystal)
    if not isinstance(composition, Mapping):
        raise UnreadableStructureError("composition is no mapping of elements to amounts")
    amounts: defaultdict[str, float] = defaultdict(float)
    for species, amount in composition.items():
        amounts[re.sub(r"[^A-Za-z].*", "", species)] += _number(amount, "composition")
    total = math.fsum(amounts.values())
    numbers, counts = np.unique(crystal.atomic_numbers, return_counts=True)
    found = {SYMBOLS[z]: int(n) / len(crystal) for z, n in zip(numbers, counts, strict=True)}
    same = total > 0 and amounts.keys() == found.keys()
    if not (same and all(abs(amounts[symbol] / total - share) < _SHARE for symbol, share in found.items())):
        told = " ".join(f"{symbol}{amount:g}" for symbol, amount in amounts.items())
        raise UnreadableStructureError(f"composition {told[:60]} is not that of the structure")
    return total


def _number(value: Any, name: str) -> float:
    if not is_number(value):
        raise UnreadableStructureError(f"{name} is {str(value)[:40]!r}; a number is expected")
    return float(value)
