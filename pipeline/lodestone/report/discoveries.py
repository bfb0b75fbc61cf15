"""The discoveries of a campaign as a table and as CIF files."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.symmetry import SYMPREC
from lodestone.errors import LodestoneError
from lodestone.report.collect import CampaignData
from lodestone.schemas import Discoveries
from lodestone.tables.files import write_atomically

ON_HULL = 1e-8  # eV/atom: rounding in the last digits does not take a crystal off the hull


def discoveries(campaign: CampaignData) -> pl.DataFrame:
    """Every verified-stable candidate of all rounds, round after round, the deepest below the hull first.

    ``energy_above_hull_start`` is measured against the hull known at the start of the round, ``energy_above_hull``
    against the hull at the end of the campaign.

    Raises:
        LodestoneError: If a discovery is not among the crystals known at the end.
    """
    order = {data.name: index for index, data in enumerate(campaign.rounds)}
    found = campaign.verifications.filter("is_stable").rename({"energy_above_hull": "energy_above_hull_start"})
    final = campaign.known.select("material_id", "energy_above_hull")
    table = found.join(final, on="material_id", how="left").with_columns(
        pl.col("atomic_numbers").list.len().cast(pl.Int32).alias("nsites"),
        pl.col("decomposition").fill_null(""),
        pl.col("round").replace_strict(order, return_dtype=pl.Int32).alias("_order"),
    )
    _all_known(table)
    table = table.sort("_order", "energy_above_hull_start", "material_id")
    return table.select(list(Discoveries.to_schema().columns))


def write_cifs(found: pl.DataFrame, oracle: Mapping[str, Any], folder: Path) -> None:
    """Write one CIF per discovery and remove those of an earlier campaign.

    Args:
        found: The discoveries.
        oracle: Who verified them: ``name`` and ``caveat``.
        folder: Where the files go.

    Raises:
        LodestoneError: If the disk refuses.
    """
    wanted = {folder / cif_name(material_id) for material_id in found["material_id"]}
    for stale in sorted(set(folder.glob("*.cif")) - wanted):
        stale.unlink()
    for material_id, *parts in found.select("material_id", "lattice", "atomic_numbers", "frac_coords").iter_rows():
        text = cif_text(Crystal(*parts), material_id, oracle)
        write_atomically(folder / cif_name(material_id), partial(Path.write_text, data=text))
    folder.mkdir(parents=True, exist_ok=True)  # an empty campaign still has its folder: the stage declares it


def cif_name(material_id: str) -> str:
    """File name of a crystal's CIF."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]', '_', material_id)}.cif"


def cif_text(crystal: Crystal, material_id: str, oracle: Mapping[str, Any]) -> str:
    """A crystal as CIF, symmetrised within ``SYMPREC``; in P1 where that finds no consistent cell.

    The table of discoveries keeps the coordinates exactly as the oracle left them. Comments say who verified it.
    """
    from pymatgen.io.cif import CifWriter

    structure = crystal.to_pymatgen()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            text = str(CifWriter(structure, symprec=SYMPREC, significant_figures=6))
        except Exception:  # spglib and pymatgen raise many types for a cell without a clear symmetry
            text = str(CifWriter(structure, significant_figures=6))
    body = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    caveat = " ".join(str(oracle["caveat"]).split())  # a comment ends with its line
    return f"# {material_id}, found by Lodestone, verified by {oracle['name']}\n# {caveat}\n{body}\n"


def _all_known(table: pl.DataFrame) -> None:
    lost = table.filter(pl.col("energy_above_hull").is_null())["material_id"].to_list()
    if lost:
        raise LodestoneError(
            f"discovery {lost[0]!r} is not among the crystals known at the end of the campaign",
            "the tables are from different campaigns: run `dvc repro` to make them again",
        )
