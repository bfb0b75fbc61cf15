"""Tables and files on disk: written atomically, validated when read and when written."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lodestone.errors import LodestoneError
from lodestone.runtime.imports import without

if TYPE_CHECKING:
    import polars as pl
    from pandera.polars import DataFrameModel


def write_atomically(path: str | Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary sibling, then rename it over ``path``; a power loss leaves one or the other.

    Raises:
        LodestoneError: If the disk refuses; ``path`` is then unchanged.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        _to_disk(temporary)  # otherwise the new name may reach the disk before the content does
        os.replace(temporary, path)
        with suppress(OSError):  # some file systems cannot sync folders
            _to_disk(path.parent)
    except Exception as error:
        if not _refused(error):
            raise
        raise LodestoneError(
            f"{path} cannot be written: {error}", "free some disk space or check the permissions, then run again"
        ) from error
    finally:
        with suppress(OSError):  # a read-only disk refuses even to remove a file that does not exist
            temporary.unlink(missing_ok=True)


def _refused(error: Exception) -> bool:
    """Whether the disk refused the write; polars, if loaded, raises an error of its own for that."""
    polars = sys.modules.get("polars")
    return isinstance(error, OSError) or (polars is not None and isinstance(error, polars.exceptions.ComputeError))


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_table(
    table: pl.DataFrame,
    path: str | Path,
    schema: type[DataFrameModel] | None = None,
    sort_by: str | list[str] | None = None,
    metadata: Mapping[str, str] | None = None,
    *,
    small: bool = False,
) -> None:
    """Validate, sort and write a parquet table; equal tables give equal bytes.

    Args:
        table: What to write.
        path: Parquet file.
        schema: Contract that the table must satisfy.
        sort_by: Columns that fix the order of the rows.
        metadata: Text to store in the footer of the file.
        small: Take a hundred times as long to write a file of crystals that is a third smaller.
    """
    if sort_by is not None:
        table = table.sort(sort_by, maintain_order=True)
    if schema is not None:
        table = validated(table, schema, path)
    level, page = (19, 8_000_000) if small else (None, None)
    write = partial(table.write_parquet, compression="zstd", compression_level=level, data_page_size=page)
    write_atomically(path, lambda target: write(target, metadata=dict(metadata) if metadata else None))


def read_table(path: str | Path, schema: type[DataFrameModel] | None = None) -> pl.DataFrame:
    """Read a parquet table and check it against its contract.

    Raises:
        LodestoneError: If the file is missing, truncated or breaks the contract.
    """
    import polars as pl

    if not Path(path).is_file():
        raise LodestoneError(f"{path} does not exist", "run `dvc repro`, which makes it, or correct the path")
    try:
        table = pl.read_parquet(path)
    except (Exception, pl.exceptions.PanicException) as error:  # polars raises many types for a damaged file
        raise LodestoneError(
            f"{path} is no readable parquet file: {(str(error).splitlines() or [type(error).__name__])[0]}",
            "it may be truncated: delete it and make or download it again",
        ) from error
    return table if schema is None else validated(table, schema, path)


def validated(table: pl.DataFrame, schema: type[DataFrameModel], path: str | Path) -> pl.DataFrame:
    """The table, in the column order of its contract.

    Raises:
        LodestoneError: Names the file, the failing columns and checks, and the first offending values.
    """
    import pandera.polars as pa

    try:
        with without("pandas"):
            return schema.validate(table, lazy=True).select(_in_order(table, schema))
    except (pa.errors.SchemaErrors, pa.errors.SchemaError) as error:
        raise LodestoneError(
            f"{path} breaks the contract {schema.__name__}: {_failures(error, table)}",
            "correct the source of these rows; DATASET.md lists every column with its unit and checks",
        ) from error


def _in_order(table: pl.DataFrame, schema: type[DataFrameModel]) -> list[str]:
    """Columns of the table in the order of the contract; those that match one pattern keep their order."""
    named = schema.to_schema().columns.items()
    groups = [
        [column for column in table.columns if re.match(name, column)] if kind.regex else [name] for name, kind in named
    ]
    return [column for group in groups for column in group if column in table.columns]


def write_json(content: Any, path: str | Path) -> None:
    """Write JSON with sorted keys; not-a-number is refused."""
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"
    write_atomically(path, lambda target: target.write_text(text, encoding="utf-8"))


def read_json(path: str | Path) -> Any:
    """Read JSON.

    Raises:
        LodestoneError: If the file is missing or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LodestoneError(f"{path} cannot be read: {error}", "run `dvc repro`, which makes it") from error


def _failures(error: Any, table: pl.DataFrame) -> str:
    import polars as pl

    cases = getattr(error, "failure_cases", None)
    if not isinstance(cases, pl.DataFrame):
        return str(error).splitlines()[0]
    shape = cases.filter(pl.col("check").str.contains(r"^dtype\(|^column_in_|^no_regex_column"))
    cases = cases if shape.is_empty() else shape  # if columns are wrong, checks that read them add nothing
    kinds = cases.unique(["column", "check"] if shape.is_empty() else None, keep="first", maintain_order=True)
    rows = kinds.head(3).iter_rows(named=True)
    failures = "; ".join(_failure(row, table) for row in rows)
    return f"{failures}{' …' if len(cases) > 3 else ''}"


def _failure(row: Mapping[str, Any], table: pl.DataFrame) -> str:
    """Column, check and value; a check of the whole table names the row instead of its long content."""
    of_table = str(row["failure_case"]).startswith("{") and row["schema_context"] == "DataFrameSchema"
    what = row["check"] if of_table else f"{row['column']}: {row['check']} ({row['failure_case']})"
    return f"{what} in {_name(table, row['index'])}" if row["index"] is not None and table.width else str(what)


def _name(table: pl.DataFrame, index: int) -> str:
    key = next((name for name in ("material_id", "element", "chemsys") if name in table.columns), table.columns[0])
    return f"{key} {table[key][index]}" if index < len(table) else f"row {index}"
