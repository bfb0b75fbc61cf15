"""Take a snapshot: open the source, filter its rows, read the structures of those that stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from pipeline.crystals.crystal import Crystal
from pipeline.crystals.encoding import chemical_system, describe, reduced_formula
from pipeline.errors import LodestoneError
from pipeline.params import SnapshotParams
from pipeline.schemas import Snapshot
from pipeline.snapshot.filters import apply_filters
from pipeline.snapshot.provenance import content_hash, package_versions
from pipeline.snapshot.source import Source
from pipeline.snapshot.structures import UnreadableStructureError, parse_structure

_SAID = ("formula_pretty", "chemsys", "nsites")  # by the source; validation compares them with the structure


def take_snapshot(params: SnapshotParams, seed: int) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, Any]]:
    """Take the snapshot that the parameters describe.

    Args:
        params: Section ``snapshot``.
        seed: Root seed, for ``filters.limit``.

    Returns:
        A table of the contract :class:`pipeline.schemas.Snapshot`, a table of :class:`pipeline.schemas.Rejections`
        (rows without a usable identity or structure), and the provenance: no clock, no key, no absolute path.

    Raises:
        LodestoneError: If the source fails, or nothing is left; names the file, column or filter.
    """
    source = _open(params)
    if source.outline.is_empty():
        raise LodestoneError(f"snapshot: source {params.source} has no rows", "check the file, or widen the query")
    outline, unread = _completed(source)
    chosen, steps = apply_filters(outline, params.filters, seed)
    nameless, kept = _identified(chosen)
    table, broken = _read(source, kept)
    rejections = pl.concat([unread, nameless, broken]).sort("material_id", "formula_pretty", "reason")
    if table.is_empty():
        name, _, reason = rejections.row(0)
        raise LodestoneError(
            f"snapshot: none of the {len(chosen)} chosen rows is usable; {name}: {reason}",
            "correct the source of these rows",
        )
    counts = {"source": len(source.outline), "filters": steps, "rejected": len(rejections), "snapshot": len(table)}
    return table, rejections, _provenance(params, seed, source, counts, table)


def _open(params: SnapshotParams) -> Source:
    from pipeline.snapshot.file import open_file
    from pipeline.snapshot.materials_project import open_materials_project
    from pipeline.snapshot.reference import open_reference

    openers: dict[str, Callable[[SnapshotParams], Source]] = {
        "reference": open_reference,
        "file": open_file,
        "materials_project": open_materials_project,
    }
    return openers[params.source](params)


def _completed(source: Source) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The outline without gaps: rows whose formula or size the source does not say are read at once."""
    gaps = source.outline.filter(pl.any_horizontal(pl.col("formula_pretty", "nsites").is_null()))
    rows, crystals, unread = _parsed(source, gaps)
    found = pl.DataFrame(
        {
            "row": rows["row"],
            "formula": [reduced_formula(crystal.atomic_numbers) for crystal in crystals],
            "system": [chemical_system(crystal.atomic_numbers) for crystal in crystals],
            "size": [len(crystal) for crystal in crystals],
        },
        schema={"row": pl.UInt32, "formula": pl.String, "system": pl.String, "size": pl.Int32},
    )
    named = pl.col("formula_pretty").str.extract_all("[A-Z][a-z]?").list.unique().list.sort().list.join("-")
    complete = source.outline.join(found, on="row", how="left").join(unread, on="row", how="anti")
    complete = complete.with_columns(
        pl.coalesce("formula_pretty", "formula").alias("formula_pretty"),
        pl.coalesce(pl.col("chemsys").str.split("-").list.sort().list.join("-"), named, "system").alias("chemsys"),
        pl.coalesce("nsites", "size").alias("nsites"),
    )
    return complete.select(source.outline.columns), unread.drop("row")


def _identified(outline: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split off rows that cannot be told apart, or whose size is no size: no contract would take them."""
    name = pl.col("material_id")
    reason = (
        pl.when(name.is_null() | (name == ""))
        .then(pl.lit("no material_id"))
        .when(name.is_duplicated())
        .then(pl.format("material_id occurs {} times", name.count().over("material_id")))
        .when(pl.col("nsites") < 1)
        .then(pl.format("nsites is {}", "nsites"))
    )
    told = outline.with_columns(reason.alias("reason"))
    nameless = told.filter(pl.col("reason").is_not_null()).select(
        pl.when(name.is_null() | (name == "")).then(pl.format("row {}", "row")).otherwise(name).alias("material_id"),
        "formula_pretty",
        "reason",
    )
    return nameless, told.filter(pl.col("reason").is_null()).select(outline.columns)


def _read(source: Source, outline: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows, crystals, broken = _parsed(source, outline)
    table = rows.hstack(describe(crystals).drop(_SAID)).with_columns(
        _normalised(rows["formula_pretty"]),
        pl.lit(source.label_method).alias("label_method"),
        pl.lit(source.correction_scheme).alias("correction_scheme"),
    )
    return table.select(list(Snapshot.to_schema().columns)).sort("material_id"), broken.drop("row")


def _parsed(source: Source, outline: pl.DataFrame) -> tuple[pl.DataFrame, list[Crystal], pl.DataFrame]:
    """Rows whose structure parses, their crystals, and the rejections of the others (with their ``row``)."""
    crystals: list[Crystal] = []
    reasons: list[str | None] = []
    for raw in source.structures(outline) if len(outline) else ():
        try:
            crystals.append(parse_structure(raw))
            reasons.append(None)
        except UnreadableStructureError as error:
            reasons.append(str(error))
    told = outline.with_columns(pl.Series("reason", reasons, dtype=pl.String))
    name = pl.coalesce("material_id", pl.format("row {}", "row")).alias("material_id")
    formula = pl.col("formula_pretty").fill_null("?")
    broken = told.filter(pl.col("reason").is_not_null()).select("row", name, formula, "reason")
    return outline.filter(told["reason"].is_null()), crystals, broken


def _normalised(formulas: pl.Series) -> pl.Series:
    from pymatgen.core import Composition

    def reduced(formula: str) -> str:
        try:
            return str(Composition(formula).reduced_formula)
        except Exception:  # pymatgen raises many types; what is no formula stays, and validation reports it
            return formula

    known = {formula: reduced(formula) for formula in formulas.unique()}
    return pl.Series("formula_pretty", [known[formula] for formula in formulas], dtype=pl.String)


def _provenance(
    params: SnapshotParams, seed: int, source: Source, counts: dict[str, Any], table: pl.DataFrame
) -> dict[str, Any]:
    silent = dict.fromkeys(("file", "database_version", "query", "thermo_type"))
    return {
        **silent,
        "versions": package_versions(),
        **source.facts,
        "source": params.source,
        "seed": seed,
        "filters": params.filters.model_dump(mode="json", exclude_none=True),
        "label_method": source.label_method,
        "correction_scheme": source.correction_scheme,
        "counts": counts,
        "content_hash": content_hash(table),
    }
