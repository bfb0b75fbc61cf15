"""Which crystals of a source enter the snapshot: pure functions over an outline, applied in a fixed order.

Crystals of a single element are the corners of every hull. ``require_any_of`` therefore keeps them, and ``limit`` keeps
the lowest one of each element before it draws the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from operator import or_
from typing import Any

import polars as pl

from lodestone.config.sections import Filters
from lodestone.errors import LodestoneError
from lodestone.runtime.seeds import child_generator

_ELEMENTS = pl.col("chemsys").str.split("-")
_IS_ELEMENT = ~pl.col("chemsys").str.contains("-", literal=True)


def apply_filters(table: pl.DataFrame, filters: Filters, seed: int) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """Apply the filters that are set.

    Args:
        table: Columns ``material_id``, ``chemsys``, ``nsites`` and the energies.
        filters: From ``snapshot.filters``.
        seed: Root seed, for ``limit``.

    Returns:
        The rows kept, sorted by ``material_id``, and for each filter its name and the rows before and after.

    Raises:
        LodestoneError: Names the filter that removed the last rows.
    """
    table = table.sort([name for name in table.columns if name != "row"])
    steps: list[dict[str, Any]] = []
    for name, keep in _steps(seed).items():
        value = getattr(filters, name)
        if value is None or (name, value) == ("min_sites", 1):
            continue
        kept = keep(table, value)
        if kept.is_empty():
            raise _nothing_left(name, value, table)
        steps.append({"filter": name, "rows_in": len(table), "rows_out": len(kept)})
        table = kept
    return table, steps


def of_elements(table: pl.DataFrame, allowed: Iterable[str]) -> pl.DataFrame:
    """Rows made of the allowed elements only."""
    return table.filter(_ELEMENTS.list.set_difference(sorted(set(allowed))).list.len() == 0)


def with_any_of(table: pl.DataFrame, required: Iterable[str]) -> pl.DataFrame:
    """Rows with at least one of the elements, and every crystal of a single element (the hull needs them)."""
    return table.filter(_IS_ELEMENT | (_ELEMENTS.list.set_intersection(sorted(set(required))).list.len() > 0))


def in_systems(table: pl.DataFrame, systems: Iterable[str]) -> pl.DataFrame:
    """Rows of these chemical systems, e.g. ``Li-Fe-O`` in any order, and of their subsystems."""
    within = (_ELEMENTS.list.set_difference(sorted(s.split("-"))).list.len() == 0 for s in sorted(set(systems)))
    return table.filter(reduce(or_, within, pl.lit(False)))


def near_hull(table: pl.DataFrame, highest: float) -> pl.DataFrame:
    """Rows at most so far above the source's hull, eV/atom; rows without a value are dropped."""
    return table.filter(pl.col("energy_above_hull") <= highest)


def drawn(table: pl.DataFrame, limit: int, seed: int) -> pl.DataFrame:
    """At most ``limit`` rows: the lowest crystal of each element, the others at random.

    Args:
        table: Sorted, so that the draw does not depend on the order of the source.
        limit: Most rows.
        seed: Root seed.
    """
    energies = ["energy_above_hull", "formation_energy_per_atom", "energy_per_atom"]
    elements = table.filter(_IS_ELEMENT).sort([*energies, "material_id"], nulls_last=True)
    corners = elements.unique("chemsys", keep="first", maintain_order=True)["material_id"]
    lot = pl.Series("lot", child_generator(seed, "snapshot", "limit").permutation(len(table)))
    ranked = table.with_columns(lot, pl.col("material_id").is_in(corners.implode()).alias("corner"))
    kept = ranked.sort("corner", "lot", descending=[True, False]).head(limit)
    return kept.select(table.columns).sort([name for name in table.columns if name != "row"])


def _steps(seed: int) -> dict[str, Callable[[pl.DataFrame, Any], pl.DataFrame]]:
    return {
        "elements": of_elements,
        "require_any_of": with_any_of,
        "chemical_systems": in_systems,
        "min_sites": lambda table, fewest: table.filter(pl.col("nsites") >= fewest),
        "max_sites": lambda table, most: table.filter(pl.col("nsites") <= most),
        "max_energy_above_hull": near_hull,
        "limit": lambda table, limit: drawn(table, limit, seed),
    }


def _nothing_left(name: str, value: Any, table: pl.DataFrame) -> LodestoneError:
    silent = name == "max_energy_above_hull" and table["energy_above_hull"].null_count() == len(table)
    why = "; none of them has a value of energy_above_hull" if silent else ""
    told = value if isinstance(value, (int, float)) else list(value)
    return LodestoneError(
        f"snapshot.filters.{name}: {told} removed the last {len(table)} rows of the snapshot{why}",
        "loosen or remove this filter in params.yaml",
    )
