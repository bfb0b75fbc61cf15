"""Source ``file`` as a parquet table of structures: scalars at once, structures a slice at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from lodestone.errors import LodestoneError
from lodestone.snapshot.source import ALIASES, OUTLINE

OWN_COLUMNS = ("lattice", "atomic_numbers", "frac_coords")
LABEL_COLUMNS = ("label_method", "correction_scheme")


def read_parquet(path: Path) -> tuple[pl.DataFrame, Callable[[pl.DataFrame], list[Any]]]:
    """Read the scalar columns of a parquet table; structures stay in the file until they are needed.

    Returns:
        The table, and a function that returns the structures of rows by their column ``row``; for neighboring rows it
        reads only the row groups that hold them.

    Raises:
        LodestoneError: If the file is damaged, or the columns of the structures are missing or of the wrong type.
    """
    schema = _guarded(path, lambda: pl.read_parquet_schema(path))
    columns = structure_columns(pl.Schema(schema), path)
    scalars = [name for name in schema if name in (*OUTLINE, *ALIASES, *LABEL_COLUMNS)]
    table = _guarded(path, lambda: pl.read_parquet(path, columns=scalars))

    def structures(rows: pl.DataFrame) -> list[Any]:
        chosen = rows["row"].cast(pl.Int64)
        first, last = int(chosen.min()), int(chosen.max())  # type: ignore[arg-type]
        slab = pl.scan_parquet(path).select(columns).slice(first, last - first + 1)
        return raw_structures(_guarded(path, slab.collect)[(chosen - first).to_list()])

    return table.with_columns(_as_day(table)), structures


def structure_columns(schema: pl.Schema, path: Path) -> list[str]:
    """The columns that hold structures: our own three, otherwise ``structure``.

    Raises:
        LodestoneError: If they are missing or of the wrong type.
    """
    own = [name for name in OWN_COLUMNS if name in schema]
    if len(own) < len(OWN_COLUMNS) and "structure" not in schema:
        raise LodestoneError(
            f"{path} has no structures: neither a column structure nor {', '.join(OWN_COLUMNS)}",
            "add the column structure: JSON with lattice, species and frac_coords",
        )
    kinds = (pl.List, pl.Array) if len(own) == len(OWN_COLUMNS) else (pl.String, pl.Struct)
    expected = "a list of numbers" if pl.List in kinds else "JSON text or a struct"
    columns = own if pl.List in kinds else ["structure"]
    for name in columns:
        if not isinstance(schema[name], kinds):
            raise LodestoneError(
                f"{path}: column {name} is of type {schema[name]}; {expected} is expected",
                "convert the column where the file is made",
            )
    return columns


def raw_structures(content: pl.DataFrame) -> list[Any]:
    """Rows of the columns of structures, in the form that ``parse_structure`` takes."""
    return content.rows(named=True) if content.width > 1 else content.to_series().to_list()


def _as_day(table: pl.DataFrame) -> list[pl.Series]:
    days = "created_at" in table.columns and table.schema["created_at"].is_temporal()
    return [table["created_at"].dt.strftime("%Y-%m-%d")] if days else []


def _guarded(path: Path, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (Exception, pl.exceptions.PanicException) as error:  # polars raises many types for a damaged file
        raise LodestoneError(
            f"{path} is no readable parquet file: {str(error).splitlines()[0]}",
            "it may be truncated: delete it and make or download it again",
        ) from error
