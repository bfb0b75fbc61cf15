"""Phases of a table that compete with the discoveries of a campaign: those in their chemical systems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lodestone.audit.campaign import Campaign
from lodestone.discovery.duplicates import same_as
from lodestone.errors import LodestoneError
from lodestone.snapshot.files.file import read_structures
from lodestone.snapshot.take import crystals_of_systems


@dataclass(frozen=True)
class Rivals:
    """The phases of a table in the chemical systems of the discoveries.

    Attributes:
        phases: All of them, as :class:`lodestone.schemas.Snapshot`; ``material_id`` is a number that no discovery can
            share, ``name`` the identifier in the table.
        identical: For phases that are one of the discoveries, by ``material_id``: the discovery.
        unreadable: Number of rows without a usable identity or structure.
        facts: The file and its hash.
    """

    phases: pl.DataFrame
    identical: Mapping[str, str]
    unreadable: int
    facts: Mapping[str, Any]

    @property
    def formulas(self) -> frozenset[str]:
        """Formulas of the phases."""
        return frozenset(self.phases["formula_pretty"])

    def known_as(self) -> dict[str, str]:
        """For each discovery that the table has, too, by structure: the name of the first such phase."""
        names = dict(self.phases.select("material_id", "name").iter_rows())
        return {discovery: names[phase] for phase, discovery in reversed(list(self.identical.items()))}

    def competing(self, highest: float) -> pl.DataFrame:
        """Phases within so much of the table's own hull, eV/atom, or of no stated distance; no discovery among them.

        A discovery's own energy is on the hull already; its copy in the table, labelled with other rounding or by a
        slightly different cell, must not push it off.
        """
        near = pl.col("energy_above_hull").is_null() | (pl.col("energy_above_hull") <= highest)
        return self.phases.filter(near & ~pl.col("material_id").is_in(list(self.identical)))


def read_rivals(path: Path, campaign: Campaign) -> Rivals:
    """Read the phases that a table has in the chemical systems of the discoveries.

    Args:
        path: A table or folder of structures, as for `snapshot.source: file`; its energies are ignored.
        campaign: A finished campaign.

    Raises:
        LodestoneError: If the table cannot be read, has no structures, or none in these systems.
    """
    source = read_structures(path)
    table, rejections = crystals_of_systems(source, campaign.systems)
    if table.is_empty():
        unread = f"; {len(rejections)} of its rows cannot be read" if len(rejections) else ""
        raise LodestoneError(
            f"{path} has no phase in the {len(campaign.systems)} chemical systems of the discoveries{unread}",
            "audit against a table of the same elements: without competing phases every discovery would survive",
        )
    numbered = table.rename({"material_id": "name"}).with_columns(
        material_id=pl.format("phase {}", pl.int_range(pl.len())), energy_per_atom=pl.lit(0.0)
    )
    return Rivals(numbered, _identical(numbered, campaign.discoveries), len(rejections), source.facts)


def _identical(phases: pl.DataFrame, discoveries: pl.DataFrame) -> dict[str, str]:
    alike = phases.filter(pl.col("formula_pretty").is_in(discoveries["formula_pretty"].unique().implode()))
    names = set(discoveries["material_id"])
    return {phase: other for phase, other in same_as(alike, discoveries).items() if other in names}
