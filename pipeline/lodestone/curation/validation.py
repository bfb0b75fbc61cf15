"""Physics checks on a snapshot: every reason why a row is bad, and what happens to bad rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from lodestone.config.sections import ValidateParams
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import SYMBOLS
from lodestone.crystals.encoding import chemical_system, decode, reduced_formula
from lodestone.crystals.soundness import shortest_distance
from lodestone.curation.units import refuse_energies_per_cell
from lodestone.errors import LodestoneError
from lodestone.schemas import ADDS_UP, Rejections, correction_gap
from lodestone.tables.files import write_atomically, write_table

ENERGIES = (
    "energy_per_atom",
    "formation_energy_per_atom",
    "energy_above_hull",
    "uncorrected_energy_per_atom",
    "energy_correction_per_atom",
)
SHOWN = 10
_REJECTED = ("material_id", "formula_pretty", "reason")


def check_rows(table: pl.DataFrame, params: ValidateParams) -> pl.DataFrame:
    """Find the rows that break a law of physics or contradict themselves.

    Args:
        table: Contract :class:`lodestone.schemas.Snapshot`.
        params: Section ``validate``.

    Returns:
        Contract :class:`lodestone.schemas.Rejections`, sorted; several reasons of a row are joined by ``; ``.

    Raises:
        LodestoneError: If the table mixes label methods or correction schemes, or its energies are per cell.
    """
    bad = _with_reasons(table, params).filter(pl.col("reason") != "")
    return bad.select(_REJECTED).sort(_REJECTED)


def validate_snapshot(
    table: pl.DataFrame, rejections: pl.DataFrame, params: ValidateParams, quarantine_path: Path
) -> pl.DataFrame:
    """Check a snapshot and handle its bad rows as ``validate.on_bad_rows`` demands.

    Args:
        table: Contract :class:`lodestone.schemas.Snapshot`.
        rejections: Rows that the snapshot stage could not read.
        params: Section ``validate``.
        quarantine_path: File for the bad rows; always written, since DVC expects it. If the stage fails, the full list
            goes to ``offending_rows.csv`` beside it instead, which DVC does not remove.

    Returns:
        The good rows.

    Raises:
        LodestoneError: With a table of bad rows and reasons, if ``on_bad_rows`` is ``fail`` or no good row is left;
            always where the table as a whole is no snapshot, see :func:`check_rows`.
    """
    rows = _with_reasons(table, params)
    bad = rows.filter(pl.col("reason") != "").select(_REJECTED)
    offenders = pl.concat([rejections, bad]).sort(_REJECTED)
    listing = quarantine_path.with_name("offending_rows.csv")
    good = rows.filter(pl.col("reason") == "").drop("reason")
    if len(offenders) and (params.on_bad_rows == "fail" or good.is_empty()):
        write_atomically(listing, offenders.write_csv)
        raise _bad_rows(offenders, len(table) + len(rejections), listing, params.on_bad_rows)
    listing.unlink(missing_ok=True)
    write_table(offenders, quarantine_path, Rejections)
    return good


def _with_reasons(table: pl.DataFrame, params: ValidateParams) -> pl.DataFrame:
    for name in ("label_method", "correction_scheme"):
        if table[name].n_unique() > 1:
            raise LodestoneError(
                f"the snapshot mixes {name}: {', '.join(table[name].unique().sort())}",
                "energies of different kinds are never compared on one hull: take the rows of one kind only",
            )
    refuse_energies_per_cell(table, params.formation_energy)
    measured = table.with_columns(_measured(table, params.min_distance))
    reasons = [pl.when(broken).then(reason).otherwise(None) for broken, reason in _rules(params)]
    joined = measured.select(pl.concat_str(reasons, separator="; ", ignore_nulls=True).alias("reason"))
    return table.hstack(joined)


def _rules(params: ValidateParams) -> Iterator[tuple[pl.Expr, pl.Expr]]:
    """Pairs of a condition that makes a row bad, and the reason as text."""
    col, low, high = pl.col, *params.volume_per_atom
    yield col("material_id").is_duplicated(), _not_unique()
    unknown = _unknown_element()
    yield unknown.is_not_null(), pl.format("atomic number {} is no known element", unknown)
    sound = col("sound") | unknown.is_not_null()
    yield ~sound, pl.lit("lattice, atomic numbers and positions do not make a crystal of finite size")
    for name in ("formula_pretty", "chemsys", "nsites"):
        actual = col(f"found_{name}")
        reason = pl.format("{} is {}, but the structure has {}", pl.lit(name), name, actual)
        yield col("sound") & (col(name) != actual), reason
    heaviest = col("atomic_numbers").list.max()
    symbol = heaviest.replace_strict(dict(enumerate(SYMBOLS)), default="?", return_dtype=pl.String)
    most = params.max_atomic_number
    yield unknown.is_null() & (heaviest > most), pl.format("{} is beyond atomic number {}", symbol, most)
    distance = col("distance").round(3)
    yield distance.is_not_null(), pl.format("atoms {} Å apart, less than {}", distance, params.min_distance)
    volume = col("volume_per_atom")
    yield ~volume.is_between(low, high), pl.format("volume {} Å3/atom, outside {} to {}", volume.round(2), low, high)
    yield from _energy_rules(params)


def _energy_rules(params: ValidateParams) -> Iterator[tuple[pl.Expr, pl.Expr]]:
    low, high = params.formation_energy
    for name in ENERGIES:
        yield ~pl.col(name).is_finite(), pl.format("{} is {}", pl.lit(name), name)
    yield pl.all_horizontal(pl.col(ENERGIES[:2]).is_null()), pl.lit("no energy")
    energy, hull = pl.col("formation_energy_per_atom"), pl.col("energy_above_hull")
    per_cell = (energy / pl.col("nsites")).is_between(low, high)
    hint = pl.when(per_cell).then(pl.lit(": looks like eV per cell; divide by nsites")).otherwise(pl.lit(""))
    reason = pl.format("formation energy {} eV/atom, outside {} to {}{}", energy.round(3), low, high, hint)
    yield energy.is_finite() & ~energy.is_between(low, high), reason
    yield hull.is_finite() & (hull < -ADDS_UP), pl.format("energy_above_hull is negative: {}", hull)
    terms = ("energy_per_atom", "uncorrected_energy_per_atom", "energy_correction_per_atom")
    gap = correction_gap()
    yield gap.is_finite() & (gap.abs() > ADDS_UP), pl.format("energy_per_atom {} is not {} plus correction {}", *terms)


def _not_unique() -> pl.Expr:
    energy = pl.coalesce("formation_energy_per_atom", "energy_per_atom")
    low, high = energy.min().over("material_id"), energy.max().over("material_id")
    spread = pl.format("material_id is not unique, and its energies differ: {} to {} eV/atom", low, high)
    return pl.when(low < high).then(spread).otherwise(pl.lit("material_id is not unique"))


def _unknown_element() -> pl.Expr:
    """The first atomic number that is no element; null where all are elements."""
    numbers = pl.col("atomic_numbers")
    unknown = numbers.list.eval(pl.element().filter((pl.element() == 0) | (pl.element() >= len(SYMBOLS))))
    return unknown.list.first()


def _measured(table: pl.DataFrame, min_distance: float) -> list[pl.Series]:
    """Columns computed from each structure; null where it is not one, and for distances that are long enough."""
    sound = _sound(table)
    crystals = iter(decode(table.filter(sound)))
    facts = [_facts(next(crystals), min_distance) if ok else (None,) * 5 for ok in sound]
    names = ("found_formula_pretty", "found_chemsys", "found_nsites", "volume_per_atom", "distance")
    dtypes = (pl.String, pl.String, pl.Int32, pl.Float64, pl.Float64)
    columns = zip(*facts, strict=True) if facts else ((),) * 5
    return [sound, *(pl.Series(n, list(c), dtype=t) for n, c, t in zip(names, columns, dtypes, strict=True))]


def _sound(table: pl.DataFrame) -> pl.Series:
    lattice, numbers, coords = (pl.col(name) for name in ("lattice", "atomic_numbers", "frac_coords"))
    finite = [c.list.eval(pl.element().is_finite()).list.all() & ~c.list.contains(None) for c in (lattice, coords)]
    n = numbers.list.len().cast(pl.Int64)
    shape = (n > 0) & (lattice.list.len() == 9) & (coords.list.len() == 3 * n)
    known = numbers.list.min().is_between(1, len(SYMBOLS) - 1) & (numbers.list.max() < len(SYMBOLS))
    return table.select((shape & known & finite[0] & finite[1]).fill_null(False).alias("sound")).to_series()


def _facts(crystal: Crystal, min_distance: float) -> tuple[str, str, int, float, float | None]:
    numbers = crystal.atomic_numbers
    shortest = shortest_distance(crystal, min_distance)
    return reduced_formula(numbers), chemical_system(numbers), len(crystal), crystal.volume / len(crystal), shortest


def _bad_rows(offenders: pl.DataFrame, total: int, listing: Path, policy: str) -> LodestoneError:
    head = [("material_id", "formula", "reason"), *offenders.head(SHOWN).iter_rows()]
    widths = [max(len(str(row[column])) for row in head) for column in (0, 1)]
    lines = "\n".join(f"  {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}" for row in head)
    more = f"\n  … and {len(offenders) - SHOWN} more" if len(offenders) > SHOWN else ""
    quarantine = "" if policy == "quarantine" else ", or set validate.on_bad_rows: quarantine to go on without them"
    return LodestoneError(
        f"{len(offenders)} of {total} rows of the snapshot are bad:\n{lines}{more}",
        f"all of them are listed in {listing}; correct them at the source{quarantine}",
    )
