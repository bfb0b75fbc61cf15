"""The hull that a user names: a campaign's phases, a file, the Materials Project, OPTIMADE, or entries of pymatgen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lodestone.config.sections import Filters, SnapshotParams
from lodestone.errors import LodestoneError
from lodestone.prediction.phases import KnownPhases, phases_table
from lodestone.prediction.scale import Scale
from lodestone.snapshot.files.file import read_structures
from lodestone.snapshot.reference import CORRECTION_SCHEME, LABEL_METHOD
from lodestone.snapshot.sources.file import FileParams
from lodestone.snapshot.sources.materials_project import MaterialsProjectParams
from lodestone.snapshot.sources.optimade import OptimadeParams
from lodestone.snapshot.take import take_snapshot
from lodestone.stability.entries import Hull
from lodestone.tables.files import read_table
from lodestone.tables.layout import REFERENCE_FILE, Layout
from lodestone.workspace.template import template_folder

SNAPSHOT, MATERIALS_PROJECT, OPTIMADE = "snapshot", "materials_project", "optimade"
MOST_SYSTEMS = 20  # asked of a database at once
_LABELS = ("label_method", "correction_scheme")


def snapshot_phases(campaign: Layout | None, scale: Scale) -> KnownPhases:
    """All phases that a campaign knows by now, or those of the packaged reference set.

    Args:
        campaign: Its files; ``None`` for the reference set.
        scale: Of the campaign.
    """
    if campaign is None:
        path = template_folder() / REFERENCE_FILE
        reference = Scale(LABEL_METHOD, CORRECTION_SCHEME)
        return _of_table(read_table(path), "the packaged reference set", reference)
    known = list(campaign.rounds.glob("*/crystals.parquet"))
    if not known:
        raise LodestoneError(f"{campaign.rounds} has no crystals.parquet", "run the campaign, or name another --hull")
    last = max(known, key=lambda path: (len(path.parent.name), path.parent.name))
    return _of_table(read_table(last), f"the phases that the campaign knew at {last.parent.name}", scale)


def file_phases(path: Path, scale: Scale) -> KnownPhases:
    """The phases of a file.

    Args:
        path: A parquet table with formulas and formation energies, or anything that `snapshot.source: file` reads.
        scale: What the user says its energies are; where nothing is said, the file itself must tell.

    Raises:
        LodestoneError: If the file cannot be read, or says nothing of its energies.
    """
    if not path.exists():
        raise LodestoneError(f"{path} does not exist", "--hull takes snapshot, materials_project, optimade, or a file")
    if path.suffix.lower() == ".parquet" and "formation_energy_per_atom" in _schema(path):
        return _parquet_phases(path, scale)
    _refuse_unknown(path, scale)
    labels = {"label_method": scale.label_method, "correction_scheme": scale.correction_scheme or "none"}
    return _taken(FileParams(source="file", path=path, **labels, filters=Filters()), str(path), scale)


def database_phases(name: str, systems: Sequence[str]) -> KnownPhases:
    """The phases that the Materials Project has in some chemical systems, by its own client or by OPTIMADE.

    Raises:
        LodestoneError: If these are too many for one query, or the database cannot be reached.
    """
    distinct = sorted(set(systems))
    if len(distinct) > MOST_SYSTEMS:
        remedy = "make a snapshot once, and give its file as the hull; or ask about fewer systems at a time"
        raise LodestoneError(f"--hull {name}: {len(distinct)} chemical systems are too many to ask for", remedy)
    filters = Filters(chemical_systems=tuple(distinct))
    common = {"source": name, "path": Path(), "filters": filters}
    if name == OPTIMADE:
        return _taken(OptimadeParams(**common, provider=MATERIALS_PROJECT), name)
    return _taken(MaterialsProjectParams(**common), name)


def entry_phases(hull: Hull | Iterable[Any]) -> KnownPhases:
    """The phases of pymatgen's entries."""
    hull = hull if isinstance(hull, Hull) else Hull(hull)
    entries = hull.entries
    table = pl.DataFrame(
        {
            "row": np.arange(len(entries)),
            "material_id": [str(entry.entry_id or f"entry {row}") for row, entry in enumerate(entries)],
            "formula_pretty": [str(entry.composition.reduced_formula) for entry in entries],
            "chemsys": ["-".join(sorted(entry.composition.get_el_amt_dict())) for entry in entries],
            "formation_energy_per_atom": hull.formation_energies(),
        }
    )
    crystals = [getattr(entry, "structure", None) for entry in entries]
    has_structures = any(crystal is not None for crystal in crystals)

    def structures(rows: pl.DataFrame) -> list[Any]:
        chosen = (crystals[row] for row in rows["row"])
        return [None if crystal is None else crystal.as_dict() for crystal in chosen]

    scale = Scale(hull.label_method, hull.correction_scheme)
    return KnownPhases("of the entries", scale, table, structures if has_structures else None)


def _of_table(table: pl.DataFrame, name: str, scale: Scale) -> KnownPhases:
    def structures(rows: pl.DataFrame) -> list[Any]:
        return table.select("lattice", "atomic_numbers", "frac_coords")[rows["row"].to_list()].rows(named=True)

    return KnownPhases(name, scale, phases_table(table, name), structures)


def _parquet_phases(path: Path, scale: Scale) -> KnownPhases:
    schema = _schema(path)
    columns = ("material_id", "matbench_id", "formula", "formula_pretty", "formation_energy_per_atom", *_LABELS)
    table = pl.read_parquet(path, columns=[name for name in columns if name in schema])
    if not {"formula", "formula_pretty"} & set(schema):
        raise LodestoneError(f"{path} has no column formula or formula_pretty", "add the formula of each phase")
    stated = scale if scale.label_method else _stated(table)
    _refuse_unknown(path, stated)
    has_structures = "material_id" in schema and bool({"structure", "lattice"} & set(schema))
    return KnownPhases(
        str(path), stated, phases_table(table, str(path)), read_structures(path).structures if has_structures else None
    )


def _schema(path: Path) -> pl.Schema:
    try:
        return pl.Schema(pl.read_parquet_schema(path))
    except (Exception, pl.exceptions.PanicException) as error:  # polars raises many types for a damaged file
        problem = f"{path} is no readable parquet file: {str(error).splitlines()[0]}"
        raise LodestoneError(problem, "it may be truncated: make or download it again") from error


def _stated(table: pl.DataFrame) -> Scale:
    """What the columns of a file say of its energies."""
    values = {name: table[name].drop_nulls().unique().to_list() for name in _LABELS if name in table.columns}
    for name, found in values.items():
        if len(found) > 1:
            remedy = "energies of different kinds are never mixed: select the rows of one kind"
            raise LodestoneError(f"column {name} of the hull holds {', '.join(map(str, found[:5]))}", remedy)
    one = {name: str(found[0]) for name, found in values.items() if found}
    return Scale(one.get("label_method"), one.get("correction_scheme"))


def _refuse_unknown(path: Path, scale: Scale) -> None:
    if scale.label_method is None:
        raise LodestoneError(
            f"{path} does not say what its energies are",
            "say it: --hull-scale METHOD/SCHEME, e.g. dft-pbe/MP-2019-legacy or dft-pbe/MP2020; or add the columns "
            "label_method and correction_scheme",
        )


def _taken(params: SnapshotParams, name: str, scale: Scale | None = None) -> KnownPhases:
    table, _, _ = take_snapshot(params, 0)
    return _of_table(table, name, scale or _stated(table))
