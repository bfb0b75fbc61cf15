"""The table that pretraining learns from: read, checked and dealt once, then kept for the next call."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from lodestone.curation.splits import split_snapshot
from lodestone.curation.validation import validate_snapshot
from lodestone.errors import LodestoneError
from lodestone.pretraining.settings import PretrainingSettings
from lodestone.runtime.seeds import child_generator
from lodestone.snapshot.sources.file import FileParams
from lodestone.snapshot.take import take_snapshot
from lodestone.tables.files import read_json, read_table, write_json, write_table

_KEPT = (
    *("material_id", "formula_pretty", "chemsys", "nsites", "prototype", "decorated_prototype"),
    *("lattice", "atomic_numbers", "frac_coords", "formation_energy_per_atom", "energy_above_hull"),
)


def read_training_table(path: Path, settings: PretrainingSettings, folder: Path) -> pl.DataFrame:
    """Crystals with their part in ``split``, sorted by ``material_id``, and the published predictions of others.

    Args:
        path: A table as `snapshot.source: file` takes it, with formation energies and hull distances.
        settings: What it is, what is refused, and how it is dealt.
        folder: Keeps the result; a later call with the same file and settings reads it there.

    Raises:
        LodestoneError: If the table cannot be read, or lacks energies.
    """
    stamp = {"size": path.stat().st_size if path.is_file() else None, **_settings_of_data(settings)}
    made, stamped = folder / "crystals.parquet", folder / "data.json"
    if made.is_file() and stamped.is_file() and read_json(stamped)["stamp"] == stamp:
        return read_table(made)
    table, provenance = _read(path, settings, folder)
    write_table(table, made, sort_by="material_id")
    write_json({"stamp": stamp, "provenance": provenance}, stamped)
    return read_table(made)


def _settings_of_data(settings: PretrainingSettings) -> dict[str, object]:
    words = {"data": {"name", "selection", "functional", "license", "attribution"}}  # change nothing but the card
    return settings.model_dump(mode="json", include={"seed", "data", "limit", "validate_", "split"}, exclude=words)


def _read(path: Path, settings: PretrainingSettings, folder: Path) -> tuple[pl.DataFrame, dict[str, object]]:
    params = FileParams(
        source="file",
        path=path,
        label_method=settings.data.label_method,
        correction_scheme=settings.data.correction_scheme,
    )
    snapshot, rejections, provenance = take_snapshot(params, settings.seed)
    good = validate_snapshot(snapshot, rejections, settings.validate_, folder / "quarantine.parquet")
    table = split_snapshot(_with_energies(good, path), settings.split).select(*_KEPT, "split")
    return _with_published(_limited(table, settings), path, settings.data.published), provenance


def _with_energies(table: pl.DataFrame, path: Path) -> pl.DataFrame:
    for name in ("formation_energy_per_atom", "energy_above_hull"):
        if table[name].null_count():
            lacking = table.filter(pl.col(name).is_null())["material_id"][0]
            raise LodestoneError(f"{path}: {lacking} has no {name}", "add it, or remove the row")
    return table


def _limited(table: pl.DataFrame, settings: PretrainingSettings) -> pl.DataFrame:
    """With the training compounds thinned to the limit; elements, and what is held out, stay."""
    thinned = (table["split"] == "train") & table["chemsys"].str.contains("-", literal=True)
    rows = thinned.arg_true().to_numpy()
    if settings.limit is None or len(rows) <= settings.limit:
        return table
    dropped = child_generator(settings.seed, "limit").permutation(rows)[settings.limit :]
    return table.with_row_index().filter(~pl.col("index").is_in(dropped.tolist())).drop("index")


def _with_published(table: pl.DataFrame, path: Path, published: dict[str, str]) -> pl.DataFrame:
    if path.suffix != ".parquet" or not published:
        return table
    columns = [name for name in published.values() if name in pl.read_parquet_schema(path)]
    others = pl.read_parquet(path, columns=["material_id", *columns])
    return table.join(others, on="material_id", how="left", maintain_order="left")
