"""Tables of structures as JSON lines: one object per line, structures of any shape."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.errors import LodestoneError
from pipeline.snapshot.source import ALIASES, OUTLINE

_OWN = ("lattice", "atomic_numbers", "frac_coords")
_LABELS = {"label_method": pl.String(), "correction_scheme": pl.String()}


def read_json_lines(path: Path) -> tuple[pl.DataFrame, Callable[[pl.DataFrame], Sequence[Any]]]:
    """Read the scalar columns as a table; structures stay as they are until somebody asks for them.

    Returns:
        The table, and a function that gives the structures of rows by their column ``row``.

    Raises:
        LodestoneError: Names the line that is no JSON object or holds a value of the wrong type.
    """
    objects = _objects(path)
    dtypes = OUTLINE | {old: OUTLINE[new] for old, new in ALIASES.items()} | _LABELS
    present = [name for name in dtypes if any(name in found for _, found in objects)]
    table = pl.DataFrame({name: _column(objects, name, dtypes[name], path) for name in present})
    return table, lambda rows: [_structure(objects[row][1]) for row in rows["row"]]


def _objects(path: Path) -> list[tuple[int, dict[str, Any]]]:
    try:
        with path.open("rb") as stream:
            lines = ((number, line) for number, line in enumerate(stream, start=1) if line.strip())
            objects = [(number, _object(path, number, line)) for number, line in lines]
    except OSError as error:
        raise LodestoneError(f"{path} cannot be read: {error}", "check the disk and the permissions") from error
    if not objects:
        raise LodestoneError(f"{path} has no rows", "it may be truncated: make or download it again")
    return objects


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise _fault(path, number, f"no JSON: {error}") from error
    if not isinstance(found, dict):
        raise _fault(path, number, f"a {type(found).__name__}, not an object")
    return found


def _column(objects: list[tuple[int, dict[str, Any]]], name: str, dtype: pl.DataType, path: Path) -> pl.Series:
    kind, wanted = _python_type(dtype)
    values = [found.get(name) for _, found in objects]
    for (number, _), value in zip(objects, values, strict=True):
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            raise _fault(path, number, f"{name} is {str(value)[:40]!r}; {wanted} is expected")
    return pl.Series(name, [float(v) if dtype.is_float() and v is not None else v for v in values], dtype=dtype)


def _python_type(dtype: pl.DataType) -> tuple[type | tuple[type, ...], str]:
    if dtype == pl.String:
        return str, "text"
    return (int, "an integer") if dtype.is_integer() else ((int, float), "a number")


def _structure(found: dict[str, Any]) -> Any:
    return {name: found[name] for name in _OWN} if all(name in found for name in _OWN) else found.get("structure")


def _fault(path: Path, number: int, told: str) -> LodestoneError:
    return LodestoneError(f"{path}, line {number}: {told}", "correct or delete this line; the file may be truncated")
