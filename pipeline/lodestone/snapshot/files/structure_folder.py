"""Source ``file`` as a folder or zip of CIF and POSCAR files with a table of energies."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl

from lodestone.errors import LodestoneError
from lodestone.runtime.progress import track
from lodestone.snapshot.files.collection import Collection, opened_collection
from lodestone.snapshot.files.energy_tables import SUFFIXES, read_energy_table, read_references
from lodestone.snapshot.files.structure_files import is_structure_file, name_of, parse_structure_file
from lodestone.snapshot.structures import UnreadableStructureError

TABLES = tuple(f"energies{suffix}" for suffix in SUFFIXES)
REFERENCES = "references.csv"
_REMEDY = (
    f"add one of {', '.join(TABLES)} with a column file (path of the CIF or POSCAR beside it) or material_id (its name "
    "without ending), and formation_energy_per_atom or energy_per_atom in eV/atom; runs of VASP need none, but their "
    "vasprun.xml"
)


def read_structure_folder(path: Path) -> tuple[pl.DataFrame, list[Any], dict[str, float], str]:
    """Read all structures of a folder or zip, nested folders included, and join them with their energies.

    The energies are in one table named ``energies.csv`` (or ``.parquet``, ``.jsonl``), which has a column ``file`` (the
    path of the structure, relative to the table) or ``material_id`` (see
    :func:`lodestone.snapshot.files.structure_files.name_of`), or both, and the energies and other columns of a table of
    crystals. A ``references.csv`` next to it may give the total energies of elements.

    Returns:
        One row per row of the table, then one per structure file that it does not name; the crystal of each row, or the
        :class:`UnreadableStructureError` that says why there is none; the references; and a hash of all files.

    Raises:
        LodestoneError: If the table is missing, ambiguous or damaged, or the zip is damaged.
    """
    with opened_collection(path) as collection:
        name = _table_name(collection)
        table = read_energy_table(_content(collection, name), f"{path}/{name}")
        _check_keys(table, f"{path}/{name}")
        structures = _structure_files(collection, PurePosixPath(name).parent)
        files = _matched(table, structures)
        references = _references(collection, PurePosixPath(name).parent)
        named = {file for file in files if isinstance(file, str)}
        unnamed = [file for file in structures if file not in named]
        paths = [structures.get(file, "") if isinstance(file, str) else file for file in files]
        raw = [_read(collection, file) for file in track(paths, len(paths), "structure files")]
        raw += [UnreadableStructureError(f"{name} has no row for the file {file}") for file in unnamed]
        return _with_names(table, files, unnamed), raw, references, collection.digest()


def is_energy_table(file: str) -> bool:
    """Whether a file is the table of energies by its name."""
    return PurePosixPath(file).name in TABLES


def _table_name(collection: Collection) -> str:
    tables = [file for file in collection.files if is_energy_table(file)]
    if len(tables) != 1:
        several = f"has {len(tables)} tables of energies: {', '.join(tables[:5])}"
        problem = several if tables else "has no table of energies"
        raise LodestoneError(f"{collection.name} {problem}", _REMEDY if not tables else "keep one of them")
    return tables[0]


def _check_keys(table: pl.DataFrame, name: str) -> None:
    keys = [key for key in ("file", "material_id") if key in table.columns]
    if not keys:
        raise LodestoneError(f"{name} has neither a column file nor material_id", _REMEDY)
    for key in keys:
        if table.schema[key] not in (pl.String, pl.Null):
            raise LodestoneError(f"{name}: column {key} is of type {table.schema[key]}; text is expected", _REMEDY)


def _structure_files(collection: Collection, root: PurePosixPath) -> dict[str, str]:
    """Structure files by their path relative to the table."""
    files = [PurePosixPath(file) for file in collection.files if is_structure_file(file)]
    return {str(f.relative_to(root) if f.is_relative_to(root) else f): str(f) for f in files}


def _references(collection: Collection, root: PurePosixPath) -> dict[str, float]:
    name = str(root / REFERENCES)
    if name not in collection.files:
        return {}
    return read_references(_content(collection, name), f"{collection.name}/{name}")


def _content(collection: Collection, name: str) -> bytes:
    try:
        return collection.read(name)
    except ValueError as error:
        raise LodestoneError(f"{collection.name}: {name} {error}", "make or download it again") from error


def _matched(table: pl.DataFrame, structures: Mapping[str, str]) -> list[str | UnreadableStructureError]:
    """The structure file of each row, or why there is none."""
    if "file" in table.columns:
        stated = [None if file is None else str(PurePosixPath(file.replace("\\", "/"))) for file in table["file"]]
        counts = Counter(stated)
        return [_by_path(file, structures, counts[file] > 1) for file in stated]
    by_name = defaultdict(list)
    for file in structures:
        by_name[name_of(file)].append(file)
    return [_by_name(name, by_name.get(name or "", [])) for name in table["material_id"]]


def _by_path(file: str | None, structures: Mapping[str, str], twice: bool) -> str | UnreadableStructureError:
    if file is None:
        return UnreadableStructureError("the row names no file")
    if twice:
        return UnreadableStructureError(f"several rows name the file {file[:80]}")
    if file not in structures:
        problem = "does not exist" if is_structure_file(file) else "is no CIF or POSCAR by its name"
        return UnreadableStructureError(f"the file {file[:80]} {problem}")
    return file


def _by_name(name: str | None, files: list[str]) -> str | UnreadableStructureError:
    if len(files) == 1:
        return files[0]
    if files:
        return UnreadableStructureError(f"several files fit: {', '.join(files)[:120]}; name one in a column file")
    return UnreadableStructureError(f"no file fits the material_id {str(name)[:80]}")


def _read(collection: Collection, path: str | UnreadableStructureError) -> Any:
    if isinstance(path, UnreadableStructureError):
        return path
    try:
        return parse_structure_file(path, collection.read(path))
    except UnreadableStructureError as error:
        return UnreadableStructureError(f"{path}: {error}")
    except ValueError as error:
        return UnreadableStructureError(f"{path} {error}")


def _with_names(table: pl.DataFrame, files: list[str | UnreadableStructureError], unnamed: list[str]) -> pl.DataFrame:
    """The table with identifiers, plus a row for each file that it does not name, identified by its path."""
    stated = table["material_id"].to_list() if "material_id" in table.columns else [_identifier(f) for f in files]
    longer = pl.concat([table, table.clear(len(unnamed))])
    names = [name if name is None else name.encode(errors="replace").decode() for name in stated + unnamed]
    return longer.with_columns(pl.Series("material_id", names, dtype=pl.String))


def _identifier(file: str | UnreadableStructureError) -> str | None:
    return name_of(file) if isinstance(file, str) else None
