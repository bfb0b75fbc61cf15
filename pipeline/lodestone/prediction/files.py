"""Files, folders, tables, formulas and the standard input of a command line, as queries."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import polars as pl

from lodestone.errors import LodestoneError
from lodestone.prediction.inputs import (
    MOST_SITES,
    Queries,
    Query,
    Unread,
    checked,
    distinct,
    formula_query,
    is_formula,
)
from lodestone.snapshot.files.collection import opened_collection
from lodestone.snapshot.files.file import FORMATS, read_structures
from lodestone.snapshot.files.objects import is_cif
from lodestone.snapshot.files.structure_files import is_structure_file, name_of, parse_structure_file
from lodestone.snapshot.structures import UnreadableStructureError, parse_structure

STDIN = "-"
_FORMULAS = ("formula_pretty", "formula")
_STRUCTURES = ("structure", "lattice")


def read_queries(paths: Sequence[str], stdin: Callable[[], bytes], most_sites: int = MOST_SITES) -> Queries:
    """Read everything that a command line names; what cannot be read is listed with its reason, and the rest goes on.

    Args:
        paths: CIF and POSCAR files, extended XYZ, folders and zips of them, parquet or JSON-lines tables, JSON of
            pymatgen's structures and entries, formulas, or ``-`` for the standard input.
        stdin: Gives the bytes of the standard input.
        most_sites: Larger cells are not predicted.
    """
    queries = Queries()
    for path in paths:
        try:
            queries += _read_stdin(stdin()) if path == STDIN else _read(path)
        except LodestoneError as error:
            queries += Queries(unread=[Unread(path, error.problem)])
    sound = Queries(unread=list(queries.unread))
    for query in queries.good:
        sound += Queries([query]) if query.is_formula else checked(query, most_sites)
    return distinct(sound)


def _read(text: str) -> Queries:
    path = Path(text)
    if not path.exists():
        if is_formula(text):
            return Queries([formula_query(text)])
        raise LodestoneError(f"{text[:200]} does not exist, and is no formula", "correct the path")
    if path.is_dir() or path.suffix.lower() == ".zip":
        return _read_collection(path)
    return _read_file(path, text)


def _read_file(path: Path, name: str) -> Queries:
    lower = path.name.lower()
    if not path.stat().st_size:
        raise LodestoneError(f"{name}: the file is empty", "give a file with a crystal")
    if is_structure_file(path.name):
        return _parsed(name, path.read_bytes())
    if lower.endswith(".json"):
        return _read_json(path, name)
    if lower.endswith((".parquet", ".jsonl", ".ndjson")):
        return _read_table(path, name)
    if lower.endswith(FORMATS):
        return _of_source(path, name)
    return _sniffed(path.read_bytes(), name)


def _read_collection(path: Path) -> Queries:
    with opened_collection(path, is_structure_file) as collection:
        if not collection.files:
            remedy = "name the files themselves, or give them the endings .cif or .vasp"
            raise LodestoneError(f"{path} holds no CIF or POSCAR file", remedy)
        queries = Queries()
        for file in collection.files:
            try:
                queries += _parsed(file, collection.read(file))
            except ValueError as error:
                queries += Queries(unread=[Unread(file, str(error))])
        return queries


def _parsed(name: str, content: bytes) -> Queries:
    try:
        return Queries([Query(name_of(name), name, parse_structure_file(name, content))])
    except UnreadableStructureError as error:
        return Queries(unread=[Unread(name, str(error))])


def _read_table(path: Path, name: str) -> Queries:
    """A table of structures; of formulas, where it has no structures."""
    columns = _columns(path)
    formulas = next((column for column in _FORMULAS if column in columns), None)
    if formulas is None or any(column in columns for column in _STRUCTURES):
        return _of_source(path, name)
    read: Callable[[Path], pl.DataFrame] = pl.read_parquet if path.suffix.lower() == ".parquet" else pl.read_ndjson
    table = read(path)
    names = table["material_id"].cast(pl.String) if "material_id" in columns else table[formulas]
    queries = Queries()
    for one, formula in zip(names, table[formulas], strict=True):
        try:
            found = formula_query(str(formula))
            queries.good.append(Query(str(one or formula), name, found.crystal, is_formula=True))
        except LodestoneError as error:
            queries.unread.append(Unread(f"{name}: {one}", error.problem))
    return queries


def _columns(path: Path) -> list[str]:
    if path.suffix.lower() == ".parquet":
        try:
            return list(pl.read_parquet_schema(path))
        except (Exception, pl.exceptions.PanicException):  # the reader of tables says what is wrong
            return []
    with path.open("rb") as stream:
        line = next((text for text in stream if text.strip()), b"")
    try:
        content = json.loads(line)
    except ValueError:
        return []
    return list(content) if isinstance(content, dict) else []


def _of_source(path: Path, name: str) -> Queries:
    source = read_structures(path)
    queries = Queries()
    names = [one or f"row {row}" for row, one in enumerate(source.outline["material_id"])]
    for one, raw in zip(names, source.structures(source.outline), strict=True):
        try:
            queries.good.append(Query(one, name, parse_structure(raw)))
        except UnreadableStructureError as error:
            queries.unread.append(Unread(f"{name}: {one}", str(error)))
    return queries


def _read_json(path: Path, name: str) -> Queries:
    """JSON of one structure, or a list of entries."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    if text.lstrip().startswith("["):
        return _of_source(path, name)
    try:
        return Queries([Query(name_of(path.stem), name, parse_structure(text))])
    except UnreadableStructureError as error:
        return Queries(unread=[Unread(name, str(error))])


def _read_stdin(content: bytes) -> Queries:
    if not content.strip():
        raise LodestoneError("the standard input is empty", "pipe a CIF, a POSCAR, JSON lines or formulas into it")
    return _sniffed(content, "stdin")


def _sniffed(content: bytes, name: str) -> Queries:
    """Content without a telling name."""
    text = content.decode("utf-8", errors="replace").lstrip("\ufeff").strip()
    words, lines = text.split(), text.splitlines()
    if words and all(is_formula(word) for word in words) and len(lines) == len(words):
        return _formulas(words)
    if text.startswith(("{", "[")):
        return _through_file(content, name, _json_suffix(text))
    if is_cif(text):
        return _renamed(_parsed("stdin.cif", content), name)
    if len(lines) > 1 and lines[0].strip().isdigit() and "Lattice=" in lines[1]:
        return _through_file(content, name, ".extxyz")
    return _renamed(_parsed("POSCAR", content), name)


def _formulas(words: Sequence[str]) -> Queries:
    queries = Queries()
    for word in words:
        try:
            queries.good.append(formula_query(word))
        except LodestoneError as error:
            queries.unread.append(Unread(word, error.problem))
    return queries


def _json_suffix(text: str) -> str:
    if text.startswith("["):
        return ".json"
    try:
        json.loads(text)
    except ValueError:
        return ".jsonl"
    return ".json" if "\n" in text or '"sites"' in text else ".jsonl"


def _through_file(content: bytes, name: str, suffix: str) -> Queries:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"stdin{suffix}"
        path.write_bytes(content)
        return _renamed(_read_file(path, name), name)


def _renamed(queries: Queries, name: str) -> Queries:
    """With the file of the queries called by a name that the user knows."""
    own = partial(_own_name, name)
    return Queries(
        [Query(own(query.name), name, query.crystal, query.is_formula) for query in queries.good],
        [Unread(own(unread.name), unread.reason) for unread in queries.unread],
    )


def _own_name(name: str, given: str) -> str:
    return name if given in ("stdin", "stdin.cif", "POSCAR") else given
