"""The tables of crystals and of phases that campaigns and benchmarks read, made from what is public.

Either from a snapshot of any source, or from the file of Matbench, a table of pandas as JSON whose rows are a structure
of pymatgen and its formation energy (Dunn et al., npj Comput. Mater. 6, 138 (2020)).
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lodestone.crystals.compositions import atomic_fractions
from lodestone.crystals.encoding import decode, describe
from lodestone.crystals.json_text import to_json
from lodestone.errors import LodestoneError
from lodestone.snapshot.structures import UnreadableStructureError, parse_structure
from lodestone.stability.hull import ConvexHull
from lodestone.stability.references import elemental_references, formation_energies

STRUCTURES, ENERGIES = "mp_structures.parquet", "mp_energies.parquet"
_ENERGY = "formation_energy_per_atom"
_ROWS, _CHUNK = '"data":', 4096
_SHARED = ("material_id", "formula", "chemsys", "nsites", "spacegroup_number", _ENERGY, "energy_above_hull")


def public_tables(crystals: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The table of structures and that of energies, the distances to the hull measured from all rows.

    Args:
        crystals: Columns as in :class:`lodestone.schemas.Snapshot`. Rows without a formation energy are left out; where
            none has one, they follow from the total energies.

    Raises:
        LodestoneError: If no row has a formation energy, or an element that is needed has no crystal.
    """
    given = crystals if crystals[_ENERGY].null_count() < len(crystals) else _from_totals(crystals)
    rows = given.filter(pl.col(_ENERGY).is_not_null() & pl.col(_ENERGY).is_finite()).sort("material_id")
    if rows.is_empty():
        remedy = "name a source that gives formation energies, or total energies and the elements"
        raise LodestoneError(f"none of {len(crystals)} crystals has a formation energy", remedy)
    hull = ConvexHull(atomic_fractions(rows["atomic_numbers"].to_list()), rows[_ENERGY].to_numpy())
    table = rows.with_columns(
        pl.col("formula_pretty").alias("formula"),
        pl.Series("energy_above_hull", hull.distances),
        pl.Series("structure", [to_json(crystal, digits=5) for crystal in decode(rows)], dtype=pl.String),
    )
    return table.select(*_SHARED, "structure", "created_at"), table.select(_SHARED)


def _from_totals(crystals: pl.DataFrame) -> pl.DataFrame:
    rows = crystals.filter(pl.col("energy_per_atom").is_not_null())
    fractions = atomic_fractions(rows["atomic_numbers"].to_list())
    energies = formation_energies(fractions, rows["energy_per_atom"].to_numpy(), elemental_references(rows))
    return rows.with_columns(pl.Series(_ENERGY, energies, dtype=pl.Float64))


def read_matbench(path: Path) -> pl.DataFrame:
    """The crystals of `matbench_mp_e_form.json.gz`, a few thousand in memory at a time.

    Args:
        path: The file, packed or not.

    Returns:
        Columns as :func:`public_tables` takes them. Rows are named as Matbench does, mb-mp-e-form-000001 and so on, as
        the file names no identifiers of the Materials Project.

    Raises:
        LodestoneError: If the file cannot be read or holds something else; names the row.
    """
    tables, crystals, energies = [], [], []
    for number, (structure, energy) in enumerate(_rows(path), start=1):
        try:
            crystals.append(parse_structure(structure))
            energies.append(float(energy))
        except (UnreadableStructureError, TypeError, ValueError) as error:
            raise LodestoneError(f"{path}: row {number}: {error}", "download the file again") from error
        if len(crystals) == _CHUNK:
            tables.append(_described(crystals, energies))
            crystals, energies = [], []
    tables.append(_described(crystals, energies))
    table = pl.concat(tables)
    names = [f"mb-mp-e-form-{number:06d}" for number in range(1, len(table) + 1)]
    return table.with_columns(
        pl.Series("material_id", names, dtype=pl.String), pl.lit(None, dtype=pl.String).alias("created_at")
    )


def _described(crystals: list[Any], energies: list[float]) -> pl.DataFrame:
    return describe(crystals).with_columns(pl.Series(_ENERGY, np.array(energies), dtype=pl.Float64))


def _rows(path: Path) -> Iterator[tuple[Any, Any]]:
    """Rows one after the other: decoded at once, the file takes ten times its size."""
    text = _text(path)
    start = text.find(_ROWS)
    if start < 0:
        raise LodestoneError(f"{path} is no table of Matbench: it has no {_ROWS}", "name matbench_mp_e_form.json.gz")
    decoder, at = json.JSONDecoder(), text.index("[", start) + 1
    while True:
        while at < len(text) and text[at] in ", \n\r\t":
            at += 1
        if text[at : at + 1] == "]":
            return
        try:
            row, at = decoder.raw_decode(text, at)
            structure, energy = row
        except (ValueError, TypeError) as error:
            raise LodestoneError(f"{path} is damaged at character {at}: {error}", "download it again") from error
        yield structure, energy


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        return (gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise LodestoneError(f"{path} cannot be read: {error}", "check the path, or download it again") from error
