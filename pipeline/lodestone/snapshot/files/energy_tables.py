"""Tables of energies next to structure files: CSV, parquet or JSON lines, from bytes."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import polars as pl

from lodestone.errors import LodestoneError
from lodestone.snapshot.energies import checked_references
from lodestone.snapshot.files.json_lines import DTYPES, scan_lines

SUFFIXES = (".csv", ".parquet", ".jsonl", ".ndjson")
_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|inf(inity)?)", re.IGNORECASE | re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,9}", re.ASCII)


def read_energy_table(content: bytes, name: str) -> pl.DataFrame:
    """Read a small table; the types of known columns are checked, other columns are dropped.

    Args:
        content: Bytes of the file.
        name: Its name, whose ending gives the format; also for messages.

    Raises:
        LodestoneError: Names the file and the line that does not parse.
    """
    if name.endswith(".csv"):
        return _read_csv(content, name)
    if name.endswith(".parquet"):
        return _read_parquet(content, name)
    return scan_lines(io.BytesIO(content), name)[0]


def read_references(content: bytes, name: str) -> dict[str, float]:
    """Elemental references of a table with the columns ``element`` and ``energy_per_atom`` (total energy, eV/atom).

    Raises:
        LodestoneError: Names the column that is missing, or the element that is unknown, repeated or without an energy.
    """
    table = read_energy_table(content, name)
    if not {"element", "energy_per_atom"} <= set(table.columns):
        columns = ", ".join(table.columns) or "none of them"
        raise LodestoneError(
            f"{name} needs the columns element and energy_per_atom; it has {columns}", "add the column"
        )
    table = table.select("element", "energy_per_atom")
    if table.schema["element"] != pl.String or not table.schema["energy_per_atom"].is_numeric():
        raise LodestoneError(f"{name}: element must be text and energy_per_atom a number", "convert the columns")
    twice = table.filter(pl.col("element").is_duplicated())["element"].unique().sort().to_list()
    if twice or table.null_count().sum_horizontal()[0]:
        problem = f"names {twice[0]} twice" if twice else "has a row without element or energy"
        raise LodestoneError(f"{name} {problem}", "keep one row per element, with its energy in eV/atom")
    return checked_references(dict(table.iter_rows()), name)


def _read_csv(content: bytes, name: str) -> pl.DataFrame:
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise LodestoneError(f"{name} is no CSV in UTF-8: {error}", "save it again as comma-separated UTF-8") from error
    header = [column.strip() for column in rows[0]] if rows else []
    if len(set(header)) < len(header):
        raise LodestoneError(f"{name} names a column twice", "rename one of them")
    columns: dict[str, list[Any]] = {column: [] for column in header if column in DTYPES}
    for line, row in enumerate(rows[1:], start=2):
        if row and len(row) != len(header):
            raise _fault(name, line, f"{len(row)} fields under {len(header)} columns")
        for column, text in zip(header, row, strict=bool(row)):
            if column in columns:
                columns[column].append(_value(text.strip(), column, name, line))
    return pl.DataFrame(columns, schema={column: DTYPES[column] for column in columns})


def _value(text: str, column: str, name: str, line: int) -> Any:
    dtype = DTYPES[column]
    if not text:
        return None
    if dtype == pl.String:
        return text
    pattern, expected = (_INTEGER, "an integer") if dtype.is_integer() else (_NUMBER, "a number")
    if not pattern.fullmatch(text):
        raise _fault(name, line, f"{column} is {text[:40]!r}; {expected} is expected")
    return int(text) if dtype.is_integer() else float(text)


def _read_parquet(content: bytes, name: str) -> pl.DataFrame:
    try:
        table = pl.read_parquet(io.BytesIO(content))
    except (Exception, pl.exceptions.PanicException) as error:
        raise LodestoneError(
            f"{name} is no readable parquet file: {str(error).splitlines()[0]}",
            "it may be truncated: delete it and make or download it again",
        ) from error
    return table.select(column for column in table.columns if column in DTYPES)


def _fault(name: str, line: int, problem: str) -> LodestoneError:
    return LodestoneError(f"{name}, row {line}: {problem}", "correct or delete this row; the file may be truncated")
