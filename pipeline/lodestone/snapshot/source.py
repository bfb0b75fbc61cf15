"""What every source provides: a light outline of its rows, and the structures of chosen rows on demand.

Filters work on the outline, so that structures are decoded (or downloaded) only for the crystals that stay.

A source is one function that takes its own settings and returns a :class:`Source`; it registers itself in
:data:`lodestone.config.registry.SOURCES`, from a file of :mod:`lodestone.snapshot.sources` or from the entry points
``lodestone.sources`` of another package. ``docs/how-to/add-a-source.md`` has a complete example.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import polars as pl

from lodestone.config.registry import SOURCES
from lodestone.config.sections import SnapshotParams
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
        outline: One row per crystal with the columns of :data:`OUTLINE` (null where the source has no value) and
            ``row``, the position in the source.
        structures: Returns the raw structures of some rows of the outline, in their order; see
            :func:`lodestone.snapshot.structures.parse_structure` for the forms they may have.
        label_method: Method behind the energies.
        correction_scheme: Correction scheme of the energies.
        facts: What else belongs in the provenance.
        whole: Whether the outline is complete, not the result of a query; formation energies and hull distances that
            are missing may then be computed from it.
        references: Total energies of elements given by the source or the parameters, eV/atom.

    Examples:
        Sodium and its chloride, from nowhere but these lines:

        >>> cube = [[4, 0, 0], [0, 4, 0], [0, 0, 4]]
        >>> crystals = {
        ...     "Na": {"lattice": cube, "species": ["Na"], "frac_coords": [[0, 0, 0]]},
        ...     "NaCl": {"lattice": cube, "species": ["Na", "Cl"], "frac_coords": [[0, 0, 0], [0.5, 0.5, 0.5]]},
        ... }
        >>> table = pl.DataFrame({"material_id": list(crystals), "formation_energy_per_atom": [0.0, -2.1]})
        >>> source = Source(
        ...     outline=make_outline(table, "two crystals"),
        ...     structures=lambda rows: [crystals[name] for name in rows["material_id"]],
        ...     label_method="by hand",
        ...     correction_scheme="none",
        ... )
        >>> source.outline.select("row", "material_id", "formation_energy_per_atom").row(1)
        (1, 'NaCl', -2.1)
        >>> source.structures(source.outline.tail(1))[0]["species"]
        ['Na', 'Cl']
    """

    outline: pl.DataFrame
    structures: Callable[[pl.DataFrame], Sequence[Any]]
    label_method: str
    correction_scheme: str
    facts: dict[str, Any] = field(default_factory=dict)
    whole: bool = False
    references: Mapping[str, float] = field(default_factory=dict)


class OpenSource(Protocol):
    """The function of a source; it is called with an instance of the settings that it registered."""

    def __call__(self, params: Any, /) -> Source:
        """Open the source.

        Args:
            params: An instance of its settings, a :class:`lodestone.config.sections.SnapshotParams`. A source that
                can be queried may use ``params.filters``; all of them are applied afterwards anyway.

        Raises:
            LodestoneError: If the source is missing, damaged or cannot be reached; with a remedy.
        """
        ...


def opened(params: SnapshotParams) -> Source:
    """Open the source that the parameters name."""
    opener: OpenSource = SOURCES[params.source].make
    return opener(params)


def make_outline(table: pl.DataFrame, name: str) -> pl.DataFrame:
    """The outline of a table, with exact types.

    Args:
        table: Any table; only the columns of :data:`OUTLINE` are used (and ``formula`` for ``formula_pretty``).
        name: Name of the source, for messages.

    Raises:
        LodestoneError: If a column has the wrong type, or ``material_id`` or both energies are missing.
    """
    aliases = {old: new for old, new in ALIASES.items() if old in table.columns and new not in table.columns}
    table = table.rename(aliases)
    energies = ("energy_per_atom", "formation_energy_per_atom")
    if "material_id" not in table.columns or not set(energies) & set(table.columns):
        lacking = "material_id" if "material_id" not in table.columns else " nor ".join(energies)
        raise LodestoneError(
            f"{name} has no column {lacking}; it has {', '.join(table.columns)}",
            "rename or add the column; docs/parameters.md and DATASET.md say which columns a file needs",
        )
    for column, dtype in OUTLINE.items():
        if column in table.columns and not _fits(table.schema[column], dtype):
            raise LodestoneError(
                f"{name}: column {column} is of type {table.schema[column]}; {_kind(dtype)} is expected",
                "convert the column where the file is made",
            )
    missing = {column: pl.lit(None, dtype) for column, dtype in OUTLINE.items() if column not in table.columns}
    # Not strict: an absurd number of sites becomes null, and the sites of the structure are counted instead.
    return (
        table.with_columns(**missing).select(list(OUTLINE)).cast(pl.Schema(OUTLINE), strict=False).with_row_index("row")
    )


def _fits(dtype: pl.DataType, expected: pl.DataType) -> bool:
    if dtype == pl.Null:
        return True
    if expected == pl.String:
        return dtype in (pl.String, pl.Categorical, pl.Enum)
    return dtype.is_integer() if expected.is_integer() else dtype.is_numeric()


def _kind(dtype: pl.DataType) -> str:
    if dtype == pl.String:
        return "text"
    return "an integer" if dtype.is_integer() else "a number"
