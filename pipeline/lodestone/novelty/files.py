"""Crystals of any file, held against those of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lodestone.crystals.encoding import describe
from lodestone.errors import LodestoneError
from lodestone.novelty.classes import novelty
from lodestone.novelty.disorder import disorder
from lodestone.prediction.files import read_queries
from lodestone.prediction.inputs import Query

_COLUMNS = ("formula_pretty", "prototype", "decorated_prototype", "lattice", "atomic_numbers", "frac_coords")


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a file holds.

    Attributes:
        table: Its crystals as :func:`lodestone.crystals.encoding.describe` describes them, with ``material_id`` and,
            where the file says so, ``energy_per_atom``.
        formulas: ``material_id`` and ``formula_pretty`` of what is there without a structure.
        n_unread: Number of entries that cannot be used.
    """

    table: pl.DataFrame
    formulas: pl.DataFrame
    n_unread: int


def read_contents(path: Path) -> Contents:
    """Crystals of a table of Lodestone, as they are described there, or of anything that `lodestone predict` reads.

    Raises:
        LodestoneError: If it is missing or damaged, or nothing in it can be used.
    """
    names = ["material_id", "energy_per_atom", *_COLUMNS]
    if path.suffix == ".parquet" and path.is_file() and set(names) <= set(_names(path)):
        return Contents(table=pl.read_parquet(path, columns=names), formulas=_named([]), n_unread=0)
    if not path.exists():
        raise LodestoneError(f"{path} does not exist", "name a table, a file or a folder of structures")
    queries = read_queries([str(path)], lambda: b"")
    if not queries.good:
        reason = f": {queries.unread[0].reason}" if queries.unread else ""
        raise LodestoneError(f"{path} holds nothing usable{reason}", "name a table, a file or a folder of structures")
    crystals = [query for query in queries.good if not query.is_formula]
    formulas = [query for query in queries.good if query.is_formula]
    described = describe([query.crystal for query in crystals]).select(_COLUMNS)
    table = _named(crystals).select("material_id", pl.lit(None, pl.Float64).alias("energy_per_atom")).hstack(described)
    return Contents(table=table, formulas=_named(formulas), n_unread=len(queries.unread))


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What is new about crystals.

    Attributes:
        answers: Identifier, formula, prototype, and columns as in :class:`lodestone.schemas.Discoveries`.
        n_known: Number of known crystals and formulas.
        unread: Number of entries that cannot be used, by file; of finds, formulas are among them.
    """

    answers: pl.DataFrame
    n_known: int
    unread: dict[str, int]


def judged(path: Path, against: Sequence[Path]) -> Judged:
    """Hold the crystals of one file against those of others, and say which are likely disordered.

    Args:
        path: Crystals that are asked about.
        against: Known ones.

    Raises:
        LodestoneError: As :func:`read_contents`.
    """
    finds, known = read_contents(path), {str(other): read_contents(other) for other in against}
    tables = [table for contents in known.values() for table in (contents.table, contents.formulas)]
    names = finds.table.select("material_id", "formula_pretty", "prototype")
    unread = {str(path): finds.n_unread + len(finds.formulas)}
    unread |= {name: contents.n_unread for name, contents in known.items()}
    return Judged(
        answers=names.hstack(novelty(finds.table, tables)).hstack(disorder(finds.table)),
        n_known=sum(map(len, tables)),
        unread={name: n for name, n in unread.items() if n},
    )


def _named(queries: Sequence[Query]) -> pl.DataFrame:
    columns = {"material_id": [query.name for query in queries], "formula_pretty": [query.formula for query in queries]}
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def _names(path: Path) -> list[str]:
    try:
        return list(pl.read_parquet_schema(path))
    except Exception as error:  # polars raises many error types for damaged files
        raise LodestoneError(f"{path} cannot be read: {str(error)[:200]}", "write the file again") from error
