"""What is new about crystals, held against any number of tables of known ones.

Formulas and prototype labels tell most crystals apart, at the cost of a join of tables; of those whose formula is
known, fingerprints rule out many more; only the rest is compared atom by atom. The answer for one crystal depends
neither on the other ones nor on the order of any table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from lodestone.novelty.comparison import familiar_of, twins_of
from lodestone.novelty.fingerprints import TOLERANCE

KNOWN, POLYMORPH, KNOWN_FORMULA = "known", "polymorph", "known formula"
NEW_COMPOSITION, NEW_PROTOTYPE = "new composition", "new prototype"

_KEYS = ("formula_pretty", "prototype", "decorated_prototype")
_CRYSTAL = ("lattice", "atomic_numbers", "frac_coords")
_SCHEMA: dict[str, Any] = {
    "material_id": pl.String,
    "energy_per_atom": pl.Float64,
    **dict.fromkeys(_KEYS, pl.String),
    "lattice": pl.List(pl.Float64),
    "atomic_numbers": pl.List(pl.UInt8),
    "frac_coords": pl.List(pl.Float64),
}
_ANONYMOUS = pl.col("prototype").str.split("_").list.first().alias("anonymous")


def novelty(finds: pl.DataFrame, known: Sequence[pl.DataFrame], tolerance: float = TOLERANCE) -> pl.DataFrame:
    """What is new about each crystal; for tables of any size, see :class:`Known`.

    Args:
        finds: Columns of :func:`lodestone.crystals.encoding.describe`.
        known: Tables with the same columns and ``material_id``, ``energy_per_atom``; phases without a structure have
            ``material_id`` and ``formula_pretty`` at least.
        tolerance: Of fingerprints.

    Returns:
        A row for each find, in their order. ``novelty`` is ``known``: the same crystal is among the known ones, by
        label or atom by atom; else ``new prototype``: no known crystal has this prototype, whatever its elements; else
        ``new composition``: none has its formula; else ``polymorph``, or ``known formula`` where no structure of that
        formula is known to compare with. ``known_as`` names the same crystal, else the lowest known one of its formula;
        it is null if the formula is new.
    """
    return Known.of(known).novelty(finds, tolerance)


@dataclass(frozen=True)
class Known:
    """Known crystals, prepared once for any number of questions.

    Attributes:
        phases: All of them, the lowest first.
        by_label: The lowest of each label: ``decorated_prototype``, ``same``.
        by_formula: The lowest of each formula: ``formula_pretty``, ``lowest``, ``is_bare``.
        prototypes: Their labels without the elements: ``prototype``, ``has_prototype``.
    """

    phases: pl.DataFrame
    by_label: pl.DataFrame
    by_formula: pl.DataFrame
    prototypes: pl.DataFrame

    @classmethod
    def of(cls, tables: Sequence[pl.DataFrame]) -> Known:
        """Prepare tables as :func:`novelty` takes them."""
        phases = _phases(tables)
        label, formula = _first_of(phases, "decorated_prototype"), _first_of(phases, "formula_pretty")
        return cls(
            phases=phases,
            by_label=label.select("decorated_prototype", same="material_id"),
            by_formula=formula.select("formula_pretty", "is_bare", lowest="material_id"),
            prototypes=phases.select("prototype").drop_nulls().unique().with_columns(has_prototype=True),
        )

    def novelty(self, finds: pl.DataFrame, tolerance: float = TOLERANCE) -> pl.DataFrame:
        """As :func:`novelty`; the answers for parts of a table are the parts of the answer for all of it."""
        keyed = self._keyed(finds.select(*_KEYS, _ANONYMOUS).with_row_index("find"))
        is_open = pl.col("same").is_null()
        unsettled = self._with_crystals(keyed.filter(is_open & ~pl.col("is_bare")), finds)
        twins = twins_of(unsettled, self.phases, tolerance)
        keyed = keyed.join(twins, on="find", how="left").with_columns(same=pl.coalesce("same", "twin")).sort("find")
        unnamed = self._with_crystals(keyed.filter(is_open & ~pl.col("has_prototype")), finds)
        familiar = pl.Series("find", familiar_of(unnamed, self.phases, tolerance), dtype=pl.UInt32)
        is_new_prototype = ~pl.col("has_prototype") & ~pl.col("find").is_in(familiar.implode())
        return keyed.select(
            novelty=pl.when(~is_open)
            .then(pl.lit(KNOWN))
            .when(is_new_prototype)
            .then(pl.lit(NEW_PROTOTYPE))
            .when(pl.col("lowest").is_null())
            .then(pl.lit(NEW_COMPOSITION))
            .otherwise(pl.when("is_bare").then(pl.lit(KNOWN_FORMULA)).otherwise(pl.lit(POLYMORPH))),
            known_as=pl.coalesce("same", "lowest"),
        )

    def _keyed(self, keys: pl.DataFrame) -> pl.DataFrame:
        """What keys alone say: the same crystal, the lowest of the formula, whether the prototype is known."""
        joined = keys.join(self.by_label, on="decorated_prototype", how="left")
        joined = joined.join(self.by_formula, on="formula_pretty", how="left")
        joined = joined.join(self.prototypes, on="prototype", how="left")
        return joined.with_columns(pl.col("has_prototype").fill_null(value=False))

    def _with_crystals(self, keyed: pl.DataFrame, finds: pl.DataFrame) -> pl.DataFrame:
        return keyed.hstack(finds[keyed["find"]].select(_CRYSTAL))


def _phases(known: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """All that is known, crystals first and the lowest of them first, whatever the order of tables and rows."""
    tables = [table.select(name for name in _SCHEMA if name in table.columns) for table in known]
    nothing = pl.DataFrame(schema=_SCHEMA)
    every = pl.concat([nothing, *tables], how="diagonal").with_columns(_ANONYMOUS, is_bare=pl.col("lattice").is_null())
    keys = ["is_bare", "energy_per_atom", "material_id", "decorated_prototype"]
    order = every.select(*keys, pl.int_range(pl.len()).alias("row")).sort(keys, nulls_last=True)
    return every[order["row"]]


def _first_of(phases: pl.DataFrame, key: str) -> pl.DataFrame:
    """The first row of each value of a key."""
    return phases.drop_nulls(key).unique(key, keep="first", maintain_order=True)
