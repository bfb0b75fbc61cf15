"""Parts of a download: structures as columns, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import decode, encode
from lodestone.errors import LodestoneError
from lodestone.snapshot.structures import UnreadableStructureError, parse_structure

STRUCTURE = ("lattice", "atomic_numbers", "frac_coords", "unread")
_DAMAGE = (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException)  # the last is not a subclass of Exception


def structure_columns(raws: Iterable[Any]) -> pl.DataFrame:
    """Raw structures as the columns :data:`STRUCTURE`.

    Args:
        raws: In any form that :func:`lodestone.snapshot.structures.parse_structure` takes, or ``None``.

    Returns:
        One row per structure: ``lattice``, ``atomic_numbers`` and ``frac_coords`` (null where it does not parse), and
        ``unread``, the reason why it does not.
    """
    crystals: dict[int, Crystal] = {}
    unread: list[str | None] = []
    for at, raw in enumerate(raws):
        try:
            crystals[at] = parse_structure(raw)
            unread.append(None)
        except UnreadableStructureError as error:
            unread.append(str(error))
    rows = pl.DataFrame({"unread": pl.Series(unread, dtype=pl.String)}).with_row_index("at")
    encoded = encode(list(crystals.values())).with_columns(pl.Series("at", list(crystals), dtype=pl.UInt32))
    return rows.join(encoded, on="at", how="left", maintain_order="left").select(STRUCTURE)


def read_structures(table: pl.DataFrame) -> list[Crystal | UnreadableStructureError]:
    """The inverse of :func:`structure_columns`: for each row a crystal, or the reason why there is none."""
    crystals = iter(decode(table.filter(pl.col("unread").is_null())))
    return [next(crystals) if reason is None else UnreadableStructureError(reason) for reason in table["unread"]]


def part_facts(path: Path) -> dict[str, str] | None:
    """Metadata in the footer of a part; ``None`` if it is missing or damaged and must be fetched again."""
    try:
        return pl.read_parquet_metadata(path)
    except _DAMAGE:
        return None


def read_part(path: Path, columns: Sequence[str]) -> pl.DataFrame:
    """Read some columns of a part.

    Raises:
        LodestoneError: If the part is missing or damaged.
    """
    try:
        return pl.read_parquet(path, columns=list(columns))
    except _DAMAGE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise LodestoneError(
            f"{path} is no readable part of a download: {reason}", f"delete {path}; a new run fetches it again"
        ) from error
