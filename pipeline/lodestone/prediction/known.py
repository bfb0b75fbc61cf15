"""Whether a crystal is known already, and as what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from lodestone.crystals.encoding import describe
from lodestone.discovery.duplicates import same_as
from lodestone.prediction.inputs import Query
from lodestone.prediction.phases import KnownPhases

KNOWN, KNOWN_FORMULA, NEW_STRUCTURE, NEW = "known", "known formula", "new structure", "new formula"


@dataclass(frozen=True)
class KnownStatus:
    """What is known of one query.

    Attributes:
        status: ``known``: the same crystal; ``new structure`` of a known formula; ``known formula``, where structures
            cannot be compared; ``new formula``.
        known_as: The same crystal, else the lowest phase of the formula.
    """

    status: str
    known_as: str | None


def known_statuses(queries: Sequence[Query], formulas: Sequence[str], phases: KnownPhases) -> list[KnownStatus]:
    """What is known of each query.

    Args:
        queries: Crystals and formulas.
        formulas: Their reduced formulas.
        phases: All that is known.
    """
    lowest = _lowest(phases, formulas)
    comparable = phases.structures is not None
    crystals = [n for n, query in enumerate(queries) if not query.is_formula and comparable and formulas[n] in lowest]
    twins = _twins([queries[n] for n in crystals], phases, {formulas[n] for n in crystals})
    twin_of = dict(zip(crystals, twins, strict=True))
    return [_judged(n in twin_of, twin_of.get(n), lowest.get(formula)) for n, formula in enumerate(formulas)]


def _judged(compared: bool, twin: str | None, lowest: str | None) -> KnownStatus:
    if twin is not None:
        return KnownStatus(KNOWN, twin)
    if lowest is None:
        return KnownStatus(NEW, None)
    return KnownStatus(NEW_STRUCTURE if compared else KNOWN_FORMULA, lowest)


def _lowest(phases: KnownPhases, formulas: Sequence[str]) -> Mapping[str, str]:
    rows = phases.table.filter(pl.col("formula_pretty").is_in(list(set(formulas))))
    lowest = rows.sort("formation_energy_per_atom", "material_id").unique("formula_pretty", keep="first")
    return dict(lowest.select("formula_pretty", "material_id").iter_rows())


def _twins(queries: Sequence[Query], phases: KnownPhases, formulas: set[str]) -> list[str | None]:
    """The known phase that each query is the same as."""
    if not queries:
        return []
    known = phases.described(formulas).rename({"formation_energy_per_atom": "energy_per_atom"})
    known = known.with_columns(number=pl.format("phase {}", pl.int_range(pl.len())))
    names = dict(known.select("number", "material_id").iter_rows())
    known = known.with_columns(material_id="number")
    given = describe([query.crystal for query in queries]).with_columns(
        material_id=pl.format("query {}", pl.int_range(pl.len())), energy_per_atom=pl.lit(0.0)
    )
    same = same_as(given, known)
    return [names.get(same.get(f"query {n}", "")) for n in range(len(queries))]
