"""Source ``file``: a parquet or JSON-lines table of structures and energies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.errors import LodestoneError
from pipeline.params import SnapshotParams
from pipeline.snapshot.json_lines import read_json_lines
from pipeline.snapshot.source import Source, make_outline
from pipeline.tables import read_table

OWN_COLUMNS = ("lattice", "atomic_numbers", "frac_coords")
LABEL_COLUMNS = ("label_method", "correction_scheme")
JSON_SUFFIXES = (".jsonl", ".ndjson")


def open_file(params: SnapshotParams) -> Source:
    """Open the table named by ``snapshot.path``.

    Each row needs ``material_id``, ``formation_energy_per_atom`` and/or ``energy_per_atom``, and a structure: either a
    column ``structure`` (see :func:`pipeline.snapshot.structures.parse_structure`) or the columns ``lattice``,
    ``atomic_numbers`` and ``frac_coords``. ``formula`` or ``formula_pretty``, ``chemsys``, ``nsites`` and
    ``energy_above_hull`` are taken over where present; other columns are ignored.

    Raises:
        LodestoneError: If the file is missing or damaged, a column is missing or of the wrong type, or the file itself
            states other labels than the parameters.
    """
    path = Path(params.path or "")  # params.py has seen to it that path and labels are set
    if not path.is_file():
        remedy = "correct the path in params.yaml; a relative one starts at the root of the repository"
        raise LodestoneError(f"snapshot.path: {path} does not exist", remedy)
    table, structures = _read(path)
    labels = {name: str(getattr(params, name)) for name in LABEL_COLUMNS}
    for name, stated in labels.items():
        _check_label(table, name, stated, path)
    facts = {"file": path.name, "file_hash": _file_hash(path)}
    return Source(make_outline(table, str(path)), structures, **labels, facts=facts)


def rows_of(table: pl.DataFrame) -> Callable[[pl.DataFrame], list[Any]]:
    """Structures of rows of a table by their position; our own columns go before ``structure``.

    Raises:
        LodestoneError: If the table has no structures, or their columns are of the wrong type.
    """
    own = set(OWN_COLUMNS) <= set(table.columns)
    content = table.select(OWN_COLUMNS if own else "structure")
    return lambda rows: _raw(content[rows["row"].to_list()])


def _raw(content: pl.DataFrame) -> list[Any]:
    return content.rows(named=True) if content.width > 1 else content.to_series().to_list()


def _read(path: Path) -> tuple[pl.DataFrame, Callable[[pl.DataFrame], Sequence[Any]]]:
    if path.suffix in JSON_SUFFIXES:
        return read_json_lines(path)
    if path.suffix != ".parquet":
        raise LodestoneError(
            f"snapshot.path: {path} is neither parquet nor JSON lines",
            f"give a file that ends in .parquet, {' or '.join(JSON_SUFFIXES)}",
        )
    table = read_table(path)
    _check_structures(table, path)
    return table, rows_of(table)


def _check_structures(table: pl.DataFrame, path: Path) -> None:
    own = [name for name in OWN_COLUMNS if name in table.columns]
    if len(own) < len(OWN_COLUMNS) and "structure" not in table.columns:
        raise LodestoneError(
            f"{path} has no structures: neither a column structure nor {', '.join(OWN_COLUMNS)}",
            "add the column structure: JSON with lattice, species and frac_coords",
        )
    kinds = (pl.List, pl.Array) if len(own) == len(OWN_COLUMNS) else (pl.String, pl.Struct)
    expected = "a list of numbers" if pl.List in kinds else "JSON text or a struct"
    for name in own if pl.List in kinds else ["structure"]:
        found = table.schema[name]
        if not isinstance(found, kinds):
            raise LodestoneError(
                f"{path}: column {name} is of type {found}; {expected} is expected",
                "convert the column where the file is made",
            )


def _check_label(table: pl.DataFrame, name: str, stated: str, path: Path) -> None:
    found = table[name].cast(pl.String).unique().sort().to_list() if name in table.columns else [stated]
    if found != [stated]:
        raise LodestoneError(
            f"{path}: column {name} holds {', '.join(map(str, found[:5]))}, but snapshot.{name} is {stated}",
            "energies of different kinds are never mixed: select the rows of one kind, and state it in params.yaml",
        )


def _file_hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
