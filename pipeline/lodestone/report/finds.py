"""What the page shows of each find on a click: structure, hull of its system, powder pattern, judges, lineage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from lodestone.report import markup
from lodestone.report.cautions import cautions
from lodestone.report.collect import CampaignData
from lodestone.report.discoveries import ON_HULL, cif_name, crystal_of, discovery_cif
from lodestone.report.dynamics import dynamics_facts
from lodestone.report.find_figures import DRAWN, drawn_atoms, hull_figure, powder_figure
from lodestone.report.hulls import system_hull
from lodestone.report.moles import in_moles
from lodestone.report.powder import powder_pattern
from lodestone.report.second_opinions import opinion_facts
from lodestone.report.structure_files import parsed, poscar

MOST = 300  # panels; each takes some 15 kB of the page
NEAR = 0.1  # eV/atom: phases further above the hull are not drawn
Row = Mapping[str, Any]


def one_per_formula(discoveries: pl.DataFrame, verifications: pl.DataFrame) -> pl.DataFrame:
    """The lowest discovery of each formula, the most credible first.

    Credible are those that are still on the hull at the end; among them those that the fewest oracles dispute; and
    among these those that lie least below the hull they started from: a great depth says that phases are missing there.

    Args:
        discoveries: All of them.
        verifications: Those of all rounds, which know the probability before.

    Returns:
        Rows of the discoveries, with their ``stability_probability`` and ``n_polymorphs``, the number of other
        discoveries of the formula.
    """
    before = verifications.select("material_id", "stability_probability")
    lowest = discoveries.sort("formation_energy_per_atom", "material_id").with_columns(
        (pl.len().over("formula_pretty") - 1).alias("n_polymorphs")
    )
    return (
        lowest.unique("formula_pretty", keep="first", maintain_order=True)
        .join(before, on="material_id", how="left")
        .sort(
            pl.col("energy_above_hull") > ON_HULL,
            pl.col("disputed_by").str.count_matches("[^, ]+").fill_null(0),
            pl.col("energy_above_hull_start").neg(),
            "material_id",
        )
    )


def find_panels(campaign: CampaignData, finds: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """The panel of each find by its identifier; at most ``MOST``, the first ones.

    Args:
        campaign: The campaign.
        finds: Rows of the discoveries.
    """
    discovered = set(finds["material_id"])
    verified = {row["material_id"]: row for row in campaign.verifications.iter_rows(named=True)}
    return {
        row["material_id"]: _panel(campaign, row, verified[row["material_id"]], discovered)
        for row in finds.head(MOST).iter_rows(named=True)
    }


def _panel(campaign: CampaignData, row: Row, verified: Row, discovered: set[str]) -> dict[str, Any]:
    cif = discovery_cif(row, campaign.oracle)
    cell = parsed(cif)
    return {
        "formula": str(markup.formula(row["formula_pretty"])),
        "about": _about(row, len(cell), cell.lattice.parameters),
        "facts": [(name, str(value)) for name, value in _facts(campaign, row, verified)],
        "atoms": drawn_atoms(cell),
        "cell": np.round(cell.lattice.matrix, 3).tolist(),
        "hull": _hull(campaign, row, discovered),
        "powder": json.loads(powder_figure(powder_pattern(cell)).to_json()),
        "cif": cif,
        "file": cif_name(row),
        "poscar": poscar(crystal_of(row), f"{row['formula_pretty']} {row['material_id']}, predicted"),
    }


def _about(row: Row, n_sites: int, cell: tuple[float, ...]) -> str:
    lengths, angles = (", ".join(f"{x:.{digits}f}" for x in part) for part, digits in ((cell[:3], 3), (cell[3:], 1)))
    return (
        f"{row['chemsys'].replace('-', '–')}; space group {markup.spacegroup(row['spacegroup_number'])} "
        f"({row['spacegroup_number']}); {n_sites} atoms in the cell of {lengths} Å, {angles}°"
    )


def _facts(campaign: CampaignData, row: Row, verified: Row) -> list[tuple[str, Any]]:
    """Judges first, then what it competes with, what else to know of it, and where it comes from."""
    depth, end = (markup.milli(row[name]) for name in ("energy_above_hull_start", "energy_above_hull"))
    energy = "formation_energy_per_atom"
    low, high = (markup.electronvolts(verified[f"{energy}_{end}"]) for end in ("lower", "upper"))
    return [
        (
            f"Networks of {row['round']}, before",
            f"P(stable) {markup.percent(verified['stability_probability'])}; "
            f"{markup.electronvolts(row[f'{energy}_pred'])} eV/atom, 90 % interval {low} to {high}",
        ),
        (campaign.oracle["name"], f"{markup.electronvolts(row[energy])} eV/atom after {verified['n_steps']} steps"),
        *opinion_facts(row["material_id"], campaign.opinions),
        *dynamics_facts(row["material_id"], campaign.phonons),
        ("Hull at the start of its round", f"{depth} meV/atom, {row['n_competing_phases']} compounds known around it"),
        ("Hull at the end", "on it" if row["energy_above_hull"] <= ON_HULL else f"{end} meV/atom above"),
        ("Would decompose to", markup.decomposition(in_moles(row["decomposition"], row["formula_pretty"]))),
        *cautions(crystal_of(row)),
        ("Made by", markup.origin(row["generator"], row["provenance"])),
        ("Chosen by", f"{row['acquired_by']}, {row['round']}"),
        ("Identifier", row["material_id"]),
    ]


def _hull(campaign: CampaignData, row: Row, discovered: set[str]) -> dict[str, Any] | None:
    elements = tuple(row["chemsys"].split("-"))
    if len(elements) not in DRAWN:
        return None
    near = pl.col("energy_above_hull") <= NEAR
    before, after = (
        system_hull(table.filter(near), elements, discovered) for table in (campaign.rounds[0].crystals, campaign.known)
    )
    return dict(json.loads(hull_figure(before, after).to_json()))
