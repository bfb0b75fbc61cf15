"""Tables of structures as JSON lines: one object per line, structures in any form."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lodestone.errors import LodestoneError
from lodestone.snapshot.source import ALIASES, OUTLINE

_OWN = ("lattice", "atomic_numbers", "frac_coords")
_TEXT = ("label_method", "correction_scheme", "file", "element")
DTYPES = OUTLINE | {old: OUTLINE[new] for old, new in ALIASES.items()} | dict.fromkeys(_TEXT, pl.String())
_LARGEST_INTEGER = 2**31


def read_json_lines(path: Path) -> tuple[pl.DataFrame, Callable[[pl.DataFrame], Sequence[Any]]]:
    """Read the scalar columns as a table; structures stay in the file until they are needed.

    Returns:
        The table, and a function that returns the structures of rows by their column ``row``.

    Raises:
        LodestoneError: Names the line that is not a JSON object or holds a value of the wrong type.
    """
    try:
        with path.open("rb") as stream:
            table, offsets = scan_lines(stream, str(path))
    except OSError as error:
        raise LodestoneError(f"{path} cannot be read: {error}", "check the disk and the permissions") from error
    return table, lambda rows: _structures(path, [offsets[row] for row in rows["row"]])


def scan_lines(lines: Iterable[bytes], name: str) -> tuple[pl.DataFrame, list[int]]:
    """The scalar columns of JSON lines; only one line is in memory at a time.

    Args:
        lines: With their line ends.
        name: Name of the file, for messages.

    Returns:
        A table of those columns of :data:`DTYPES` that occur, and the byte offset of each row.

    Raises:
        LodestoneError: See :func:`read_json_lines`.
    """
    values: dict[str, list[Any]] = {}
    offsets: list[int] = []
    position = 0
    for number, line in enumerate(lines, start=1):
        if line.strip():
            content = _object(name, number, line)
            for column in content.keys() & DTYPES.keys():
                column_values = values.setdefault(column, [])
                column_values += [None] * (len(offsets) - len(column_values))
                column_values.append(_value(content[column], column, f"{name}, line {number}"))
            offsets.append(position)
        position += len(line)
    if not offsets:
        raise LodestoneError(f"{name} has no rows", "it may be truncated: make or download it again")
    present = {column: values[column] for column in DTYPES if column in values}
    padded = {column: cells + [None] * (len(offsets) - len(cells)) for column, cells in present.items()}
    return pl.DataFrame(padded, schema={column: DTYPES[column] for column in padded}), offsets


def _structures(path: Path, offsets: Iterable[int]) -> list[Any]:
    structures = []
    with path.open("rb") as stream:
        for offset in offsets:
            stream.seek(offset)
            content = json.loads(stream.readline())
            whole = all(name in content for name in _OWN)
            structures.append({name: content[name] for name in _OWN} if whole else content.get("structure"))
    return structures


def _object(name: str, number: int, line: bytes) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _fault(f"{name}, line {number}", f"no JSON: {error}") from error
    if not isinstance(content, dict):
        raise _fault(f"{name}, line {number}", f"a {type(content).__name__}, not an object")
    return content


def _value(value: Any, column: str, where: str) -> Any:
    """A value as its column requires; an absurd number of sites becomes null, to be counted in the structure."""
    dtype = DTYPES[column]
    fits, expected = _kind(dtype)
    if value is None:
        return None
    if not fits(value):
        raise _fault(where, f"{column} is {str(value)[:40]!a}; {expected} is expected")
    if dtype.is_integer():
        return value if abs(value) < _LARGEST_INTEGER else None
    return float(value) if dtype.is_float() else value


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number that a float can hold; NaN and infinities count, and are checked elsewhere."""
    return type(value) is float or (type(value) is int and abs(value) < 10**300)


def is_text(value: Any) -> bool:
    """Whether a JSON value is text; half a surrogate pair is text only in Python, and does not count."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _kind(dtype: pl.DataType) -> tuple[Callable[[Any], bool], str]:
    if dtype == pl.String:
        return is_text, "text"
    return (_is_integer, "an integer") if dtype.is_integer() else (is_number, "a number")


def _is_integer(value: Any) -> bool:
    return type(value) is int


def _fault(where: str, problem: str) -> LodestoneError:
    return LodestoneError(f"{where}: {problem}", "correct or delete this line; the file may be truncated")
