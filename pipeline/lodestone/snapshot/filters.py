"""Which crystals of a source enter the snapshot: pure functions over an outline, applied in a fixed order.

Crystals of a single element are the corners of every hull. ``require_any_of`` therefore keeps them, and ``limit`` keeps
the lowest one of each element before it draws the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import polars as pl

from lodestone.config.sections import Filters
from lodestone.crystals.chemistry import RULES
from lodestone.errors import LodestoneError
from lodestone.runtime.seeds import child_generator

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


def of_chemistry(table: pl.DataFrame, value: Any, name: str) -> pl.DataFrame:
    """Rows whose elements pass one of :data:`lodestone.crystals.chemistry.RULES`, which candidates obey too."""
    kept = [system for system in table["chemsys"].unique() if RULES[name](set(system.split("-")), value)]
    return table.filter(pl.col("chemsys").is_in(kept))


def near_hull(table: pl.DataFrame, highest: float) -> pl.DataFrame:
    """Rows at most ``highest`` eV/atom above the source's hull; rows without a value are dropped."""
    return table.filter(pl.col("energy_above_hull") <= highest)


def limited(table: pl.DataFrame, limit: int, seed: int) -> pl.DataFrame:
    """At most ``limit`` rows: the lowest crystal of each element, the others at random.

    Args:
        table: Sorted, so that the draw does not depend on the order of the source.
        limit: Maximum number of rows.
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
        **{name: partial(of_chemistry, name=name) for name in RULES},
        "min_sites": lambda table, fewest: table.filter(pl.col("nsites") >= fewest),
        "max_sites": lambda table, most: table.filter(pl.col("nsites") <= most),
        "max_energy_above_hull": near_hull,
        "limit": lambda table, limit: limited(table, limit, seed),
    }


def _nothing_left(name: str, value: Any, table: pl.DataFrame) -> LodestoneError:
    silent = name == "max_energy_above_hull" and table["energy_above_hull"].null_count() == len(table)
    why = "; none of them has a value of energy_above_hull" if silent else ""
    setting = value if isinstance(value, (int, float)) else list(value)
    return LodestoneError(
        f"snapshot.filters.{name}: {setting} removed the last {len(table)} rows of the snapshot{why}",
        "loosen or remove this filter in params.yaml",
    )
