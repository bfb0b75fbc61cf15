"""What is new about crystals, held against any number of tables of known ones.

Formulas and prototype labels tell most crystals apart, at the cost of a join of tables; of those whose formula is
known, fingerprints rule out many more; only the rest is compared atom by atom. The answer for one crystal depends
neither on the other ones nor on the order of any table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lodestone.crystals.encoding import decode
from lodestone.discovery.duplicates import same_prototype, same_structure
from lodestone.novelty.fingerprints import TOLERANCE, are_near, fingerprint

if TYPE_CHECKING:
    from pymatgen.core import Structure

KNOWN, POLYMORPH, KNOWN_FORMULA = "known", "polymorph", "known formula"
NEW_COMPOSITION, NEW_PROTOTYPE = "new composition", "new prototype"

_KEYS = ("formula_pretty", "prototype", "decorated_prototype")
_CRYSTAL = ("lattice", "atomic_numbers", "frac_coords")
_ANONYMOUS = pl.col("prototype").str.split("_").list.first().alias("anonymous")


def novelty(finds: pl.DataFrame, known: Sequence[pl.DataFrame], tolerance: float = TOLERANCE) -> pl.DataFrame:
    """What is new about each crystal.

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
    phases = _phases(known)
    finds = finds.select(*_KEYS, *_CRYSTAL, _ANONYMOUS).with_row_index("find")
    same = _first_of(phases, "decorated_prototype").select("decorated_prototype", same="material_id")
    lowest = _first_of(phases, "formula_pretty").select("formula_pretty", "is_bare", lowest="material_id")
    keyed = finds.join(same, on="decorated_prototype", how="left").join(lowest, on="formula_pretty", how="left")
    labels = phases["prototype"].drop_nulls().unique().implode()
    keyed = keyed.with_columns(has_prototype=pl.col("prototype").is_in(labels)).sort("find")
    twins = _twins(keyed.filter(pl.col("same").is_null() & pl.col("lowest").is_not_null()), phases, tolerance)
    keyed = keyed.join(twins, on="find", how="left", maintain_order="left")
    keyed = keyed.with_columns(same=pl.coalesce("same", "twin"))
    familiar = _familiar(keyed.filter(pl.col("same").is_null() & ~pl.col("has_prototype")), phases, tolerance)
    return keyed.select(
        novelty=pl.when(pl.col("same").is_not_null())
        .then(pl.lit(KNOWN))
        .when(~pl.col("has_prototype") & ~pl.col("find").is_in(familiar))
        .then(pl.lit(NEW_PROTOTYPE))
        .when(pl.col("lowest").is_null())
        .then(pl.lit(NEW_COMPOSITION))
        .otherwise(pl.when("is_bare").then(pl.lit(KNOWN_FORMULA)).otherwise(pl.lit(POLYMORPH))),
        known_as=pl.coalesce("same", "lowest"),
    )


def _phases(known: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """All that is known, crystals first and the lowest of them first, whatever the order of tables and rows."""
    wanted = ["material_id", "energy_per_atom", *_KEYS, *_CRYSTAL]
    tables = [table.select(name for name in wanted if name in table.columns) for table in known]
    every = pl.concat(tables, how="diagonal").with_columns(_ANONYMOUS, is_bare=pl.col("lattice").is_null())
    keys = ["is_bare", "energy_per_atom", "material_id", "decorated_prototype"]
    order = every.select(*keys, pl.int_range(pl.len()).alias("row")).sort(keys, nulls_last=True)
    return every[order["row"]]


def _first_of(phases: pl.DataFrame, key: str) -> pl.DataFrame:
    """The first row of each value of a key."""
    return phases.drop_nulls(key).unique(key, keep="first", maintain_order=True)


def _twins(finds: pl.DataFrame, phases: pl.DataFrame, tolerance: float) -> pl.DataFrame:
    """Crystals that are the same as a known one under another label: ``find``, ``twin``."""
    groups = _groups(finds, phases, "formula_pretty")
    pairs = [pair for group in groups for pair in _equal(*group, same_structure, tolerance, by_element=True)]
    return pl.DataFrame(pairs, schema={"find": pl.UInt32, "twin": pl.String}, orient="row")


def _familiar(finds: pl.DataFrame, phases: pl.DataFrame, tolerance: float) -> list[int]:
    """Crystals that have the structure of a known one of other elements, under another label."""
    groups = _groups(finds, phases, "anonymous")
    pairs = (pair for group in groups for pair in _equal(*group, same_prototype, tolerance, by_element=False))
    return [find for find, _ in pairs]


def _groups(finds: pl.DataFrame, phases: pl.DataFrame, key: str) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Finds and known crystals of each value of a key that both have."""
    crystals = phases.filter(~pl.col("is_bare"))
    shared = crystals.join(finds, on=key, how="semi", maintain_order="left").partition_by(key, as_dict=True)
    for value, group in finds.partition_by(key, as_dict=True).items():
        if value in shared:
            yield group, shared[value]


def _equal(
    finds: pl.DataFrame,
    phases: pl.DataFrame,
    compare: Callable[[Structure, Structure], bool],
    tolerance: float,
    *,
    by_element: bool,
) -> Iterator[tuple[int, str]]:
    """Each find that compares as equal with a known crystal, and the first of these."""
    others = decode(phases)
    prints = np.array([fingerprint(other, by_element=by_element) for other in others])
    for find, crystal in zip(finds["find"], decode(finds), strict=True):
        near = np.flatnonzero(are_near(fingerprint(crystal, by_element=by_element), prints, tolerance))
        structure = crystal.to_pymatgen()
        row = next((row for row in near if compare(structure, others[row].to_pymatgen())), None)
        if row is not None:
            yield find, phases["material_id"][int(row)]
