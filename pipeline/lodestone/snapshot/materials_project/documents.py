"""Thermo documents of the Materials Project as columns, after a check that their format has not changed.

The structure is that of the entry that the energy comes from (``energy_type``), so that each energy belongs to its
structure. A thermo document has no date of creation: ``last_updated`` and the dates in ``builder_meta`` and ``origins``
belong to builds, so ``created_at`` stays null.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import polars as pl

from lodestone.errors import LodestoneError
from lodestone.snapshot.downloads.parts import structure_columns
from lodestone.snapshot.source import OUTLINE

_TEXT, _NUMBER = (str,), (int, float)
FIELDS: dict[str, tuple[type, ...]] = {
    "material_id": _TEXT,
    "thermo_type": _TEXT,
    "formula_pretty": _TEXT,
    "chemsys": _TEXT,
    "nsites": (int,),
    "energy_per_atom": _NUMBER,
    "uncorrected_energy_per_atom": _NUMBER,
    "formation_energy_per_atom": _NUMBER,
    "energy_above_hull": _NUMBER,
    "energy_type": _TEXT,
    "deprecated": (bool,),
    "entries": (dict,),
}
_NEVER_NULL = ("material_id", "thermo_type", "deprecated")
_MAY_BE_LEFT_OUT = ("formation_energy_per_atom",)  # by single documents; the others are always written
_KINDS = {_TEXT: "text", (int,): "an integer", _NUMBER: "a number", (bool,): "true or false", (dict,): "an object"}

LABELS = {
    "GGA_GGA+U": ("dft-pbe", "MP2020"),
    "R2SCAN": ("dft-r2scan", "none"),
    "GGA_GGA+U_R2SCAN": ("dft-pbe-r2scan-mixed", "MP2020 and MaterialsProjectDFTMixingScheme"),
}
# The pymatgen classes that apply the corrections of these schemes.
_MP2020, _MIXING = "MaterialsProject2020Compatibility", "MaterialsProjectDFTMixingScheme"
_PREFIXES = {
    "MP2020": _MP2020,
    "MP GGA(+U)/r2SCAN mixing": _MIXING,
}  # names of corrections that do not state their class
_SCHEMES = {"GGA_GGA+U": {_MP2020}, "R2SCAN": set(), "GGA_GGA+U_R2SCAN": {_MP2020, _MIXING}}


def document_columns(documents: Sequence[Any], thermo_type: str) -> pl.DataFrame:
    """One row per document: the columns of the outline, ``deprecated``, ``corrections`` and the structure.

    Args:
        documents: As the API returns them, with the fields of :data:`FIELDS`; entries of deprecated ones are ignored.
        thermo_type: The requested one.

    Returns:
        Energies in eV/atom, unrounded. ``corrections`` names the pymatgen class that corrected the energy, or ``none``.

    Raises:
        LodestoneError: If a field is missing or of another type, or energies of another kind are among the documents.
    """
    for name, kinds in FIELDS.items():
        _check(documents, name, kinds)
    _check_kind(documents, thermo_type)
    entries = [{} if document["deprecated"] else _entry(document) for document in documents]
    columns: dict[str, list[Any]] = {
        name: [document.get(name) for document in documents] for name in OUTLINE if name in FIELDS
    }
    # Not strict: the types are already checked, and an absurd number of sites becomes null.
    table = pl.DataFrame(columns, schema={name: OUTLINE[name] for name in columns}, strict=False).with_columns(
        (pl.col("energy_per_atom") - pl.col("uncorrected_energy_per_atom")).alias("energy_correction_per_atom"),
        pl.lit(None, pl.String).alias("created_at"),
        pl.Series("deprecated", [document["deprecated"] for document in documents], dtype=pl.Boolean),
        pl.Series("corrections", [_corrections(entry, thermo_type) for entry in entries], dtype=pl.String),
    )
    return table.hstack(structure_columns(entry.get("structure") for entry in entries))


def _check(documents: Sequence[Any], name: str, kinds: tuple[type, ...]) -> None:
    def lacks(document: Any) -> bool:
        return not isinstance(document, dict) or name not in document

    def differs(document: Any) -> bool:
        value = document.get(name)
        wrong = type(value) not in kinds  # not isinstance, which counts a bool as an integer
        return wrong and (value is not None or name in _NEVER_NULL)

    missing = [document for document in documents if lacks(document)]
    if missing and (name not in _MAY_BE_LEFT_OUT or len(missing) == len(documents)):
        raise _changed(f"{_which(missing, documents)} no field {name}")
    other = [document for document in documents if not lacks(document) and differs(document)]
    if other:
        example = json.dumps(other[0][name])[:40]
        raise _changed(f"{_which(other, documents)} a field {name} that is not {_KINDS[kinds]}, but {example}")


def _check_kind(documents: Sequence[Any], thermo_type: str) -> None:
    def differs(document: Any) -> bool:  # the API writes both R2SCAN and r2SCAN
        return bool(document["thermo_type"].lower() != thermo_type.lower())

    other = [document for document in documents if differs(document)]
    if other:
        raise LodestoneError(
            f"the Materials Project API was asked for {thermo_type}, but {_which(other, documents)} the thermo_type "
            f"{other[0]['thermo_type']}",
            "energies of different kinds are never mixed: run again, and report this if it stays",
        )


def _entry(document: dict[str, Any]) -> dict[str, Any]:
    """The entry that the energy comes from; empty if the document has no such entry."""
    entries: dict[str, Any] = document["entries"] or {}
    named = {str(name).lower(): entry for name, entry in entries.items()}
    entry = named.get(str(document["energy_type"]).lower(), {}) or {}
    if entry and (not isinstance(entry, dict) or "structure" not in entry):
        raise _changed(f"{document['material_id']} has an entry without a structure")
    return dict(entry)


def _corrections(entry: dict[str, Any], thermo_type: str) -> str:
    schemes = sorted({_maker(adjustment) for adjustment in _adjustments(entry)})
    foreign = set(schemes) - _SCHEMES[thermo_type]
    if foreign:
        raise LodestoneError(
            f"the Materials Project: the energy of entry {entry.get('entry_id')} is corrected by {sorted(foreign)[0]}, "
            f"but {thermo_type} stands for the correction scheme {LABELS[thermo_type][1]}",
            "correction schemes are never mixed: choose another snapshot.thermo_type, or update Lodestone",
        )
    return "+".join(schemes) or "none"


def _adjustments(entry: dict[str, Any]) -> list[dict[str, Any]]:
    adjustments = entry.get("energy_adjustments") or []
    with suppress(ValueError):  # in some entries emmet stores the adjustments as JSON text
        adjustments = json.loads(adjustments) if isinstance(adjustments, str) else adjustments
    if not isinstance(adjustments, list) or not all(isinstance(adjustment, dict) for adjustment in adjustments):
        raise _changed(f"energy_adjustments of entry {entry.get('entry_id')} is no list of objects")
    return adjustments


def _maker(adjustment: dict[str, Any]) -> str:
    scheme, name = adjustment.get("cls"), str(adjustment.get("name") or "an unnamed scheme")
    if isinstance(scheme, dict) and "@class" in scheme:
        return str(scheme["@class"])
    return next((maker for prefix, maker in _PREFIXES.items() if name.startswith(prefix)), name)


def _which(some: Sequence[Any], documents: Sequence[Any]) -> str:
    name = some[0].get("material_id") if isinstance(some[0], dict) else None
    return f"{len(some)} of {len(documents)} documents ({name or 'one without a name'} among them) have"


def _changed(change: str) -> LodestoneError:
    from importlib.metadata import version

    return LodestoneError(
        f"the documents of the Materials Project API have changed: {change}",
        f"update Lodestone and mp-api (here {version('mp-api')}) and run again; the pages before this one are kept",
    )
