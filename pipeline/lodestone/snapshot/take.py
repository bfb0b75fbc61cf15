"""Take a snapshot: open the source, filter its rows, read the structures of those that stay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from lodestone.config.sections import SnapshotParams
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import chemical_system, describe, reduced_formula
from lodestone.errors import LodestoneError
from lodestone.runtime.progress import track
from lodestone.schemas import Rejections, Snapshot
from lodestone.snapshot.energies import complete_energies, lacks_energies
from lodestone.snapshot.filters import apply_filters, of_chemistry
from lodestone.snapshot.provenance import content_hash, package_versions
from lodestone.snapshot.source import Source, opened
from lodestone.snapshot.structures import UnreadableStructureError, parse_structure

CHUNK = 16_384  # rows whose structures are in memory at the same time, about 40 MB
_DAY = r"^\d{4}-\d{2}-\d{2}$"
_STATED = ("formula_pretty", "chemsys", "nsites")  # by the source; validation compares them with the structure


def take_snapshot(params: SnapshotParams, seed: int) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, Any]]:
    """Take the snapshot that the parameters describe.

    Structures are read a few thousand at a time, in the order of the source, so that their raw form never fills the
    memory.

    Args:
        params: Section ``snapshot``.
        seed: Root seed, for ``filters.limit``.

    Returns:
        A table of the contract :class:`lodestone.schemas.Snapshot`, a table of :class:`lodestone.schemas.Rejections`
        (rows without a usable identity or structure), and the provenance: no clock, no key, no absolute path.

    Raises:
        LodestoneError: If the source fails, or no row is left; names the file, column or filter.
    """
    source = opened(params)
    if source.outline.is_empty():
        raise LodestoneError(f"snapshot: source {params.source} has no rows", "check the file, or widen the query")
    outline, unread, computed = _completed(source)
    if outline.is_empty():
        raise _nothing_usable(unread, len(source.outline))
    chosen, steps = apply_filters(outline, params.filters, seed)
    nameless, kept = _identified(chosen)
    table, broken = _read(source, kept)
    rejections = pl.concat([unread, nameless, broken]).sort("material_id", "formula_pretty", "reason")
    if table.is_empty():
        raise _nothing_usable(rejections, len(chosen))
    counts = {"source": len(source.outline), "filters": steps, "rejected": len(rejections), "snapshot": len(table)}
    return table, rejections, _provenance(params, seed, source, counts, table) | computed


def crystals_of_systems(source: Source, systems: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The crystals of a source that lie in some chemical systems or their subsystems.

    Args:
        source: An opened source.
        systems: Elements joined by ``-``.

    Returns:
        A table of the contract :class:`lodestone.schemas.Snapshot`, in which what a row says of its composition has
        given way to what its structure is, and a table of :class:`lodestone.schemas.Rejections`.
    """
    outline, unread, _ = _completed(source)
    nameless, kept = _identified(of_chemistry(outline, systems, "chemical_systems"))
    table, broken = _read(source, kept)
    numbers = [np.array(row) for row in table["atomic_numbers"]]
    table = table.with_columns(
        pl.Series("formula_pretty", list(map(reduced_formula, numbers)), dtype=pl.String),
        pl.Series("chemsys", list(map(chemical_system, numbers)), dtype=pl.String),
    )
    return of_chemistry(table, systems, "chemical_systems"), pl.concat([unread, nameless, broken])


def _nothing_usable(rejections: pl.DataFrame, total: int) -> LodestoneError:
    name, _, reason = rejections.row(0)
    return LodestoneError(
        f"snapshot: none of the {total} chosen rows is usable; {name}: {reason}", "correct the source of these rows"
    )


def _completed(source: Source) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, Any]]:
    """The outline without gaps, the rejections of rows whose structures do not parse, and what was computed.

    Rows whose formula or size the source does not state are read here. If energies must be computed, all rows are read,
    since energies follow the composition of the structure, not the one that the row states.
    """
    computing = source.whole and lacks_energies(source.outline)
    gaps = pl.any_horizontal(pl.col("formula_pretty", "nsites").is_null())
    compositions, unread = _compositions(source, source.outline.filter(pl.lit(True) if computing else gaps))
    named = pl.col("formula_pretty").str.extract_all("[A-Z][a-z]?").list.unique().list.sort().list.join("-")
    complete = (
        source.outline.with_columns(_fault().alias("fault"))
        .join(compositions, on="row", how="left")
        .join(unread, on="row", how="anti")
    )
    complete = complete.with_columns(
        pl.coalesce("formula_pretty", "composition").alias("formula_pretty"),
        pl.coalesce(pl.col("chemsys").str.split("-").list.sort().list.join("-"), named, "system").alias("chemsys"),
        pl.coalesce("nsites", "size").alias("nsites"),
    )
    computed: dict[str, Any] = {}
    if computing and len(complete):
        complete, computed = complete_energies(complete, source.references)
    return complete.select(*source.outline.columns, "fault"), unread.drop("row"), computed


def _compositions(source: Source, outline: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Composition, system and size of the rows of an outline, by their ``row``; and the rejections of the others."""
    schema = {"row": pl.UInt32, "composition": pl.String, "system": pl.String, "size": pl.Int32}
    compositions, unread = [pl.DataFrame(schema=schema)], [_no_rejections()]
    for rows, crystals, broken in _parsed(source, outline):
        columns = (
            rows["row"],
            [reduced_formula(crystal.atomic_numbers) for crystal in crystals],
            [chemical_system(crystal.atomic_numbers) for crystal in crystals],
            [len(crystal) for crystal in crystals],
        )
        compositions.append(pl.DataFrame(dict(zip(schema, columns, strict=True)), schema=schema))
        unread.append(broken)
    return pl.concat(compositions), pl.concat(unread)


def _fault() -> pl.Expr:
    """Why a row cannot be told apart from others, or has no valid size or date; checked before any filter.

    Otherwise a filter might keep one of two rows that contradict each other.
    """
    name, day = pl.col("material_id"), pl.col("created_at")
    energies = pl.struct("energy_per_atom", "formation_energy_per_atom")
    differ = pl.when(energies.n_unique().over("material_id") > 1).then(pl.lit(", with different energies"))
    return (
        pl.when(name.is_null() | (name == ""))
        .then(pl.lit("no material_id"))
        .when(name.is_duplicated())
        .then(
            pl.format("material_id occurs {} times{}", name.count().over("material_id"), differ.otherwise(pl.lit("")))
        )
        .when(pl.col("nsites") < 1)
        .then(pl.format("nsites is {}", "nsites"))
        .when(~(day.str.contains(_DAY) & day.str.to_date("%Y-%m-%d", strict=False).is_not_null()))
        .then(pl.format("created_at is {}, not YYYY-MM-DD", "created_at"))
    )


def _identified(outline: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split off rows with a fault: they would break the contract."""
    name = pl.col("material_id")
    nameless = outline.filter(pl.col("fault").is_not_null()).select(
        pl.when(name.is_null() | (name == "")).then(pl.format("row {}", "row")).otherwise(name).alias("material_id"),
        "formula_pretty",
        pl.col("fault").alias("reason"),
    )
    return nameless, outline.filter(pl.col("fault").is_null()).drop("fault")


def _read(source: Source, outline: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    tables, unread = [], [_no_rejections()]
    for rows, crystals, broken in _parsed(source, outline):
        tables.append(rows.hstack(describe(crystals).drop(_STATED)))
        unread.append(broken)
    columns = list(Snapshot.to_schema().columns)
    if not tables:
        return Snapshot.empty(), pl.concat(unread).drop("row")
    table = pl.concat(tables).with_columns(
        pl.lit(source.label_method).alias("label_method"), pl.lit(source.correction_scheme).alias("correction_scheme")
    )
    table = table.with_columns(_normalized(table["formula_pretty"])).select(columns)
    return table.sort("material_id"), pl.concat(unread).drop("row")


def _no_rejections() -> pl.DataFrame:
    return pl.DataFrame(schema={"row": pl.UInt32} | dict(Rejections.empty().schema))


def _parsed(source: Source, outline: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, list[Crystal], pl.DataFrame]]:
    """By chunks: rows whose structure parses, their crystals, and the rejections of the others with their ``row``."""
    for rows in track(outline.sort("row").iter_slices(CHUNK), -(-len(outline) // CHUNK), "structures"):
        crystals: list[Crystal] = []
        reasons: list[str | None] = []
        for raw in source.structures(rows):
            try:
                crystals.append(parse_structure(raw))
                reasons.append(None)
            except UnreadableStructureError as error:
                reasons.append(
                    str(error).encode(errors="replace").decode()
                )  # JSON may hold characters that no file can
        judged = rows.with_columns(pl.Series("reason", reasons, dtype=pl.String))
        name = pl.coalesce("material_id", pl.format("row {}", "row")).alias("material_id")
        formula = pl.col("formula_pretty").fill_null("?")
        broken = judged.filter(pl.col("reason").is_not_null()).select("row", name, formula, "reason")
        yield rows.filter(judged["reason"].is_null()), crystals, broken


def _normalized(formulas: pl.Series) -> pl.Series:
    from pymatgen.core import Composition

    def reduced(formula: str) -> str:
        try:
            return str(Composition(formula).reduced_formula)
        except Exception:  # pymatgen raises many types; an invalid formula stays, and validation reports it
            return formula

    normalized = {formula: reduced(formula) for formula in formulas.unique()}
    return pl.Series("formula_pretty", [normalized[formula] for formula in formulas], dtype=pl.String)


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
