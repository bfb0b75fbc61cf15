"""Energies of two tables may meet only if they are of one scale."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from lodestone.errors import LodestoneError

COLUMNS = ("label_method", "correction_scheme")


def refuse_mixed_scales(known: Path, pool: Path) -> None:
    """Stop where the tables say of their energies that they are of different methods or correction schemes.

    Tables that do not say so are taken at the word of who replays them.

    Raises:
        LodestoneError: Names the column and what stands there.
    """
    for column in COLUMNS:
        told = [_values(path, column) for path in (known, pool)]
        named = sorted(set().union(*told))
        if all(told) and len(named) > 1:
            raise LodestoneError(
                f"{known.name} and {pool.name} have energies of more than one {column}: {', '.join(named)}",
                "bring all energies to one scale: on one hull, others would make or unmake stable crystals",
            )


def _values(path: Path, column: str) -> set[str]:
    """What stands in a column; nothing where there is none, or no such file."""
    if not path.is_file():
        return set()
    table = pl.scan_parquet(path)
    if column not in table.collect_schema():
        return set()
    return set(table.select(pl.col(column).cast(pl.String).drop_nulls().unique()).collect().to_series())
