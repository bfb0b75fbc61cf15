"""Which discoveries survive on the hull of everything known, and which phases the others decompose into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from lodestone.audit.campaign import Campaign
from lodestone.audit.rivals import Rivals
from lodestone.crystals.compositions import atomic_fractions
from lodestone.crystals.elements import SYMBOLS
from lodestone.crystals.encoding import decode
from lodestone.ensemble.metrics import wilson_proportion
from lodestone.oracles.base import Label, Labeller
from lodestone.report.discoveries import ON_HULL
from lodestone.stability.density import depths
from lodestone.stability.hull import ConvexHull, Decomposition
from lodestone.stability.references import formation_energies

HIGHEST = 0.1  # eV/atom above the table's hull: higher phases are not labelled
_PHASE = ("material_id", "formula_pretty", "atomic_numbers", "formation_energy_per_atom")


@dataclass(frozen=True)
class CompletedHull:
    """The hull of the known crystals of a campaign and the phases of a table.

    Attributes:
        phases: Columns ``material_id``, ``formula_pretty``, ``atomic_numbers``, ``formation_energy_per_atom`` and
            ``source``: ``campaign`` or ``table``.
        hull: Their convex hull.
    """

    phases: pl.DataFrame
    hull: ConvexHull

    @classmethod
    def of(cls, known: pl.DataFrame, added: pl.DataFrame) -> CompletedHull:
        """The hull of crystals of the campaign and of labelled phases of a table."""
        sides = (known.select(*_PHASE, source=pl.lit("campaign")), added.select(*_PHASE, source=pl.lit("table")))
        phases = pl.concat(sides)
        return cls(phases, ConvexHull.of(phases))

    def described(self, decomposition: Decomposition) -> list[dict[str, Any]]:
        """A decomposition by names; amounts are atomic fractions. Reference elements have no identifier."""
        return [self._phase(phase) | {"amount": amount} for phase, amount in decomposition]

    def _phase(self, phase: int) -> dict[str, Any]:
        if phase < 0:
            return {"material_id": None, "formula_pretty": SYMBOLS[-phase], "source": "reference"}
        return self.phases.select("material_id", "formula_pretty", "source").row(phase, named=True)


def audit(campaign: Campaign, rivals: Rivals, label: Labeller, highest: float = HIGHEST) -> dict[str, Any]:
    """Complete the hull around the discoveries with the phases of a table, and judge the discoveries against it.

    Args:
        campaign: A finished campaign.
        rivals: The phases of the table in its chemical systems.
        label: The campaign's oracle. If it does not relax the phases, their energies are upper bounds, and so is the
            share of discoveries that survive.
        highest: Phases further above the table's own hull are left out, eV/atom.

    Returns:
        The content of ``audit.json``: counts, proportions with Wilson intervals, and one row per discovery.

    Raises:
        LodestoneError: If an element has no reference energy.
    """
    competing = rivals.competing(highest)
    labels = label(decode(competing))
    phases = _labelled(competing, labels, campaign.references)
    rows = _rows(campaign, rivals, CompletedHull.of(campaign.known, phases))
    return {
        "against": dict(rivals.facts) | {"max_energy_above_hull": highest},
        "phases": {
            "n_in_systems": len(rivals.phases),
            "n_unreadable": rivals.unreadable,
            "n_identical_to_a_discovery": len(rivals.identical),
            "n_labelled": len(phases),
            "refused": dict(sorted(Counter(x.status.split(":")[0] for x in labels if not x.ok).items())),
        },
        "n_systems": len(campaign.systems),
        "n_formulas": campaign.discoveries["formula_pretty"].n_unique(),
        "depth": depths(campaign.discoveries["energy_above_hull_start"]),
        **_shares(rows),
        "discoveries": rows,
    }


def _labelled(competing: pl.DataFrame, labels: Sequence[Label], references: pl.DataFrame) -> pl.DataFrame:
    """The phases that got an energy, with formation energies on the campaign's scale."""
    ok = competing.filter(pl.Series([label.ok for label in labels], dtype=pl.Boolean))
    energies = np.array([label.energy_per_atom for label in labels if label.ok], dtype=float)
    formed = formation_energies(atomic_fractions(ok["atomic_numbers"].to_list()), energies, references)
    return ok.with_columns(
        pl.Series("formation_energy_per_atom", formed, dtype=pl.Float64), pl.col("name").alias("material_id")
    )


def _rows(campaign: Campaign, rivals: Rivals, completed: CompletedHull) -> list[dict[str, Any]]:
    """One row per discovery, in their order."""
    table = campaign.discoveries
    fractions = atomic_fractions(table["atomic_numbers"].to_list())
    distances = completed.hull.energies_above_hull(fractions, table["formation_energy_per_atom"].to_numpy()).tolist()
    decompositions = completed.hull.decompositions(fractions)
    identical, formulas = rivals.known_as(), rivals.formulas
    return [
        _row(discovery, distance, [] if distance <= ON_HULL else completed.described(decomposition))
        | {
            "formula_is_known": discovery["formula_pretty"] in formulas,
            "known_as": identical.get(discovery["material_id"]),
        }
        for discovery, distance, decomposition in zip(
            table.iter_rows(named=True), distances, decompositions, strict=True
        )
    ]


def _row(discovery: Mapping[str, Any], distance: float, falls_to: list[dict[str, Any]]) -> dict[str, Any]:
    kept = ("material_id", "formula_pretty", "chemsys", "round", "acquired_by", "n_competing_phases")
    return {name: discovery[name] for name in kept} | {
        "energy_above_hull_start": discovery["energy_above_hull_start"],
        "energy_above_hull_end": discovery["energy_above_hull"],
        "energy_above_hull": max(distance, 0.0),
        "survives": not falls_to,
        "falls_to": falls_to,
    }


def _shares(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Proportions of all discoveries, and those that survive by who chose them."""
    by_table = [any(phase["source"] == "table" for phase in row["falls_to"]) for row in rows]
    survive = [row["survives"] for row in rows]
    flags = {
        "survive": survive,
        "survive_and_new_formula": [row["survives"] and not row["formula_is_known"] for row in rows],
        "known_by_formula": [row["formula_is_known"] for row in rows],
        "known_by_structure": [row["known_as"] is not None for row in rows],
        "fall_to_the_table": by_table,
        "fall_within_the_campaign": [not (kept or falls) for kept, falls in zip(survive, by_table, strict=True)],
    }
    choosers = {who: [row["survives"] for row in rows if row["acquired_by"] == who] for who in ("model", "random")}
    return {name: wilson_proportion(sum(values), len(values)) for name, values in flags.items()} | {
        "survive_by": {who: wilson_proportion(sum(values), len(values)) for who, values in choosers.items()}
    }
