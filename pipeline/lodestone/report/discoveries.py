"""The discoveries of a campaign as a table and as CIF files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.novelty.classes import novelty
from lodestone.novelty.disorder import disorder
from lodestone.report.cifs import cif_in_group
from lodestone.report.collect import CampaignData
from lodestone.report.dynamics import dynamics_column
from lodestone.report.second_opinions import verdict_columns
from lodestone.schemas import Discoveries
from lodestone.tables.files import write_atomically

_ITEMS = ("material_id", "formation_energy_per_atom", "energy_above_hull", "energy_above_hull_start")
ON_HULL = 1e-8  # eV/atom: rounding in the last digits does not take a crystal off the hull


def discoveries(campaign: CampaignData) -> pl.DataFrame:
    """The discoveries of all rounds, in round order, lowest energy above the hull first.

    ``energy_above_hull_start`` is measured against the hull known at the start of the round, ``energy_above_hull``
    against the hull at the end of the campaign. Novelty is against what was known at the start of the campaign.

    Raises:
        LodestoneError: If a discovery is not among the crystals known at the end.
    """
    order = {data.name: index for index, data in enumerate(campaign.rounds)}
    at_first = [campaign.rounds[0].crystals, campaign.phases]
    stable = campaign.verifications.filter("is_discovery").rename({"energy_above_hull": "energy_above_hull_start"})
    final = campaign.known.select("material_id", "energy_above_hull")
    table = stable.join(final, on="material_id", how="left").with_columns(
        pl.col("atomic_numbers").list.len().cast(pl.Int32).alias("nsites"),
        pl.col("decomposition").fill_null(""),
        pl.col("round").replace_strict(order, return_dtype=pl.Int32).alias("_order"),
    )
    _all_known(table)
    table = table.sort("_order", "energy_above_hull_start", "material_id")
    table = table.hstack(novelty(table, at_first)).hstack(disorder(table))
    table = table.hstack(verdict_columns(table["material_id"], campaign.opinions))
    table = table.with_columns(dynamics_column(table["material_id"], campaign.phonons))
    return table.select(list(Discoveries.to_schema().columns))


def incomplete_finds(campaign: CampaignData) -> pl.DataFrame:
    """Candidates too deep below the hull to be discoveries, round after round, the deepest first.

    Columns as in :class:`lodestone.schemas.Verifications`.
    """
    return pl.concat(
        data.verifications.filter("hull_is_incomplete").sort("energy_above_hull", "material_id")
        for data in campaign.rounds
    )


def write_cifs(table: pl.DataFrame, oracle: Mapping[str, Any], folder: Path) -> None:
    """Write one CIF per discovery and delete those left from an earlier campaign.

    Args:
        table: The discoveries.
        oracle: The oracle that verified them: ``name`` and ``caveat``.
        folder: Folder for the files.

    Raises:
        LodestoneError: If a file cannot be written.
    """
    texts = {folder / cif_name(row): discovery_cif(row, oracle) for row in table.iter_rows(named=True)}
    for stale in sorted(set(folder.glob("*.cif")) - set(texts)):
        stale.unlink()
    for path, text in texts.items():
        write_atomically(path, partial(Path.write_text, data=text))
    folder.mkdir(
        parents=True, exist_ok=True
    )  # the stage declares this folder as an output, so it must exist even without discoveries


def cif_name(row: Mapping[str, Any]) -> str:
    """File name of a discovery's CIF: its formula and its identifier."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]', '_', '_'.join((row['formula_pretty'], row['material_id'])))}.cif"


def crystal_of(row: Mapping[str, Any]) -> Crystal:
    """The crystal of a row, with the oracle's exact coordinates."""
    return Crystal(*(row[name] for name in ("lattice", "atomic_numbers", "frac_coords")))


def discovery_cif(row: Mapping[str, Any], oracle: Mapping[str, Any]) -> str:
    """A row of the discoveries as CIF; the table keeps the oracle's exact coordinates."""
    items = {name: row[name] for name in _ITEMS} | {"energy_unit": "eV per atom"}
    return cif_in_group(crystal_of(row), row["spacegroup_number"], oracle, items)


def _all_known(table: pl.DataFrame) -> None:
    lost = table.filter(pl.col("energy_above_hull").is_null())["material_id"].to_list()
    if lost:
        raise LodestoneError(
            f"discovery {lost[0]!r} is not among the crystals known at the end of the campaign",
            "the tables are from different campaigns: run `dvc repro` to make them again",
        )
