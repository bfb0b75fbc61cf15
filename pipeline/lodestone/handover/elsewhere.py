"""Which databases know a find: the same crystal, its formula, or nothing.

Crystals are held against each other as everywhere in a campaign (`docs/decisions/0004`): by label, else atom by atom.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import describe, reduced_formula
from lodestone.crystals.soundness import why_unsound
from lodestone.handover.databases import Answer, Database
from lodestone.handover.formulas import optimade_formula
from lodestone.novelty.classes import KNOWN, novelty
from lodestone.report.discoveries import crystal_of
from lodestone.runtime.progress import track
from lodestone.runtime.redaction import public_address
from lodestone.snapshot.optimade.rows import to_structure
from lodestone.snapshot.structures import UnreadableStructureError, parse_structure

SAME, FORMULA, NOTHING, NO_ANSWER = "same crystal", "formula", "nothing", "no answer"
MOST_SITES = 500  # a larger cell counts by its formula


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """What one database knows of a find.

    Attributes:
        database: Its name.
        address: Where it was looked up.
        knows: ``same crystal``, ``formula``, ``nothing``, or ``no answer``.
        known_as: Identifier there of the same crystal.
        n_entries: Number of its entries of the formula.
        n_compared: Number of those that are ordered crystals, to which the find was compared.
        date: When it said so, ``YYYY-MM-DD``.
        reason: Why there is no answer.
    """

    database: str
    address: str
    knows: str
    known_as: str | None = None
    n_entries: int | None = None
    n_compared: int | None = None
    date: str | None = None
    reason: str | None = None


LookedUp = Mapping[str, tuple[Elsewhere, ...]]


def look_up(finds: pl.DataFrame, databases: Sequence[Database]) -> LookedUp:
    """What each database knows of each find, by its identifier. Whatever the servers do, there is a result.

    Args:
        finds: Rows of the contract :class:`lodestone.schemas.Discoveries`.
        databases: In the order in which they are listed.
    """
    rows = track(finds.iter_rows(named=True), len(finds), "looking up")
    return {row["material_id"]: tuple(_compared(row, databases)) for row in rows}


def looked_up(results: LookedUp | None) -> list[dict[str, Any]] | None:
    """Each database with ``n``, how many finds it knows as what, and the ``faults`` for which it did not answer.

    ``None`` if nobody has looked anything up.
    """
    if results is None:
        return None
    by_name: dict[str, list[Elsewhere]] = {}
    for one in chain.from_iterable(results.values()):
        by_name.setdefault(one.database, []).append(one)
    return [
        {
            "database": name,
            "address": some[0].address,
            "n": {knows: sum(one.knows == knows for one in some) for knows in (SAME, FORMULA, NOTHING, NO_ANSWER)},
            "faults": sorted({str(one.reason) for one in some if one.knows == NO_ANSWER}),
        }
        for name, some in by_name.items()
    ]


def as_text(results: LookedUp) -> str:
    """One line for each database."""
    lines = []
    for one in looked_up(results) or []:
        counts = ", ".join(f"{knows} {n}" for knows, n in one["n"].items() if n)
        lines.append(f"{one['database']}: {'; '.join([counts, *one['faults']])}")
    return "\n".join(lines)


def _compared(row: Mapping[str, Any], databases: Sequence[Database]) -> Iterator[Elsewhere]:
    crystal = crystal_of(row)
    formula = optimade_formula(crystal)
    for database in databases:
        yield compare(crystal, database.answer(formula), database.server.name, database.server.address)


def compare(crystal: Crystal, answer: Answer, name: str, address: str) -> Elsewhere:
    """What a database knows of a crystal, by its entries of the crystal's formula.

    Args:
        crystal: The find.
        answer: Of the database.
        name: Of the database.
        address: Of its server; secrets in it are left out.
    """
    where = Elsewhere(database=name, address=public_address(address), knows=NO_ANSWER, reason=answer.reason)
    if answer.entries is None:
        return where
    others = dict(map(_named_crystal, answer.entries))
    ordered = {name: one for name, one in others.items() if one is not None and _is_comparable(crystal, one)}
    known_as = _twin(crystal, ordered) if ordered else None
    return replace(
        where,
        knows=SAME if known_as else FORMULA if answer.entries else NOTHING,
        known_as=known_as,
        n_entries=len(answer.entries),
        n_compared=len(ordered),
        date=answer.date,
    )


def _named_crystal(entry: Mapping[str, Any]) -> tuple[str, Crystal | None]:
    """Identifier and crystal of an entry; ``None`` where it is disordered, or has no atoms."""
    try:
        return str(entry.get("id")), parse_structure(to_structure(entry))
    except UnreadableStructureError:
        return str(entry.get("id")), None


def _is_comparable(crystal: Crystal, other: Crystal) -> bool:
    if len(other) > MOST_SITES or why_unsound(other) is not None:
        return False
    return reduced_formula(other.atomic_numbers) == reduced_formula(crystal.atomic_numbers)


def _twin(crystal: Crystal, others: Mapping[str, Crystal]) -> str | None:
    """The first of some crystals, by identifier, that is the same."""
    names = pl.Series("material_id", list(others), dtype=pl.String)
    energies = pl.lit(None, pl.Float64).alias("energy_per_atom")  # none of one kind in all databases
    known = describe(list(others.values())).with_columns(names, energies)
    [(what, known_as)] = novelty(describe([crystal]), [known]).select("novelty", "known_as").rows()
    return str(known_as) if what == KNOWN else None
