"""Known phases: what a crystal is measured against, and what it may be the same as."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from lodestone.crystals.compositions import fractions_of_formulas
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import describe
from lodestone.errors import LodestoneError
from lodestone.prediction.scale import Scale
from lodestone.snapshot.files.file import Structures
from lodestone.snapshot.structures import UnreadableStructureError, parse_structure
from lodestone.stability.hull import ConvexHull

SCALARS = ("row", "material_id", "formula_pretty", "chemsys", "formation_energy_per_atom")


@dataclass(frozen=True)
class KnownPhases:
    """Phases with formation energies, all on one scale.

    Attributes:
        name: Where they come from, as the user says it.
        scale: What their energies are.
        table: Columns ``row``, ``material_id``, ``formula_pretty``, ``chemsys`` and ``formation_energy_per_atom``.
        structures: Raw structures of rows of the table; ``None`` where there are none.
    """

    name: str
    scale: Scale
    table: pl.DataFrame
    structures: Structures | None = field(default=None, repr=False)

    @cached_property
    def hull(self) -> ConvexHull:
        """Their hull; pure elements are always on it, at 0."""
        return ConvexHull(fractions_of_formulas(self.table["formula_pretty"]), self.energies)

    @property
    def energies(self) -> np.ndarray:
        """Formation energies, shape ``(n,)``, eV/atom."""
        return self.table["formation_energy_per_atom"].to_numpy()

    def within(self, systems: Collection[str]) -> KnownPhases:
        """Those in some chemical systems and their subsystems: all that compete with crystals of these systems."""
        parts = {"-".join(part) for system in set(systems) for part in _subsystems(system)}
        table = self.table.filter(pl.col("chemsys").is_in(list(parts)))
        return KnownPhases(self.name, self.scale, table, self.structures)

    def described(self, formulas: Collection[str]) -> pl.DataFrame:
        """Phases of some formulas with their crystals and prototypes; those whose structure is unreadable are left out.

        Returns:
            The scalar columns, and those of :func:`lodestone.crystals.encoding.describe`.
        """
        rows = self.table.filter(pl.col("formula_pretty").is_in(list(formulas)))
        if self.structures is None or rows.is_empty():
            return rows.clear().hstack(describe([]).drop("formula_pretty", "chemsys"))
        crystals = [_crystal(raw) for raw in self.structures(rows)]
        good = [crystal is not None for crystal in crystals]
        found = describe([crystal for crystal in crystals if crystal is not None])
        return rows.filter(pl.Series(good, dtype=pl.Boolean)).hstack(found.drop("formula_pretty", "chemsys"))


def phases_table(table: pl.DataFrame, name: str) -> pl.DataFrame:
    """The scalar columns of a table of phases, without rows that have no energy.

    Args:
        table: With ``material_id`` (or none), ``formula_pretty`` or ``formula``, and formation energies.
        name: Its name, for messages.

    Raises:
        LodestoneError: If it has no formulas or no formation energies.
    """
    table = table.rename({"formula": "formula_pretty"}) if "formula_pretty" not in table.columns else table
    energies = pl.col("formation_energy_per_atom").cast(pl.Float64)
    names = [pl.col(one).cast(pl.String) for one in ("material_id", "matbench_id") if one in table.columns]
    chosen = table.with_row_index("row").select(
        "row",
        pl.coalesce(*names, pl.format("row {}", "row")).alias("material_id"),
        "formula_pretty",
        pl.col("formula_pretty")
        .str.extract_all("[A-Z][a-z]?")
        .list.unique()
        .list.sort()
        .list.join("-")
        .alias("chemsys"),
        energies,
    )
    kept = chosen.filter(pl.col("formation_energy_per_atom").is_finite())
    if kept.is_empty():
        raise LodestoneError(f"{name} has no phase with a formation energy", "give a table of energies, eV/atom")
    return kept


def _subsystems(system: str) -> Sequence[tuple[str, ...]]:
    elements = sorted(system.split("-"))
    return [part for size in range(1, len(elements) + 1) for part in combinations(elements, size)]


def _crystal(raw: Any) -> Crystal | None:
    try:
        return parse_structure(raw)
    except UnreadableStructureError:
        return None
