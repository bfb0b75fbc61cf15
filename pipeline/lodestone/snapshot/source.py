"""What every source hands over: a light outline of its rows, and the structures of chosen rows on demand.

Filters work on the outline, so that structures are decoded (or downloaded) only for the crystals that stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from lodestone.errors import LodestoneError

OUTLINE: dict[str, pl.DataType] = {
    "material_id": pl.String(),
    "formula_pretty": pl.String(),
    "chemsys": pl.String(),
    "nsites": pl.Int32(),
    "energy_per_atom": pl.Float64(),
    "formation_energy_per_atom": pl.Float64(),
    "energy_above_hull": pl.Float64(),
    "uncorrected_energy_per_atom": pl.Float64(),
    "energy_correction_per_atom": pl.Float64(),
    "created_at": pl.String(),
}
ALIASES = {"formula": "formula_pretty"}


@dataclass(frozen=True)
class Source:
    """An opened source.

    Attributes:
        outline: One row per crystal with the columns of :data:`OUTLINE` (null where the source is silent) and ``row``,
            the position in the source.
        structures: Gives the raw structures of some rows of the outline, in their order; see
            :func:`lodestone.snapshot.structures.parse_structure` for what they may look like.
        label_method: What made the energies.
        correction_scheme: Correction scheme of the energies.
        facts: What else belongs into the provenance.
        whole: Whether the outline is all there is, and no answer to a query: then formation energies and hull distances
            that are missing may be computed from it.
        references: Total energies of elements that the source or the parameters state, eV/atom.
    """

    outline: pl.DataFrame
    structures: Callable[[pl.DataFrame], Sequence[Any]]
    label_method: str
    correction_scheme: str
    facts: dict[str, Any] = field(default_factory=dict)
    whole: bool = False
    references: Mapping[str, float] = field(default_factory=dict)


def make_outline(table: pl.DataFrame, name: str) -> pl.DataFrame:
    """The outline of a table, with exact types.

    Args:
        table: Any table; of its columns those of :data:`OUTLINE` count (and ``formula`` for ``formula_pretty``).
        name: Name of the source, for messages.

    Raises:
        LodestoneError: If a column has the wrong type, or ``material_id`` or both energies are missing.
    """
    aliases = {old: new for old, new in ALIASES.items() if old in table.columns and new not in table.columns}
    table = table.rename(aliases)
    energies = ("energy_per_atom", "formation_energy_per_atom")
    if "material_id" not in table.columns or not set(energies) & set(table.columns):
        wanted = "material_id" if "material_id" not in table.columns else " nor ".join(energies)
        raise LodestoneError(
            f"{name} has no column {wanted}; it has {', '.join(table.columns)}",
            "rename or add the column; docs/parameters.md and DATASET.md say which columns a file needs",
        )
    for column, dtype in OUTLINE.items():
        if column in table.columns and not _fits(table.schema[column], dtype):
            raise LodestoneError(
                f"{name}: column {column} is of type {table.schema[column]}; {_kind(dtype)} is expected",
                "convert the column where the file is made",
            )
    missing = {column: pl.lit(None, dtype) for column, dtype in OUTLINE.items() if column not in table.columns}
    # Not strict: a number of sites beyond all sense becomes null, and is then counted in the structure.
    return (
        table.with_columns(**missing).select(list(OUTLINE)).cast(pl.Schema(OUTLINE), strict=False).with_row_index("row")
    )


def _fits(found: pl.DataType, wanted: pl.DataType) -> bool:
    if found == pl.Null:
        return True
    if wanted == pl.String:
        return found in (pl.String, pl.Categorical, pl.Enum)
    return found.is_integer() if wanted.is_integer() else found.is_numeric()


def _kind(dtype: pl.DataType) -> str:
    if dtype == pl.String:
        return "text"
    return "an integer" if dtype.is_integer() else "a number"
