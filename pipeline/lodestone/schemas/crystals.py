"""Tables of crystals: what each holds, and the known crystals of a campaign."""

from __future__ import annotations

from typing import Any

import pandera.polars as pa
import polars as pl

from lodestone.schemas.columns import PARTS, SHOWN, Contract, Lenient, check, field


def _a_day(_: Any, data: pa.PolarsData) -> pl.LazyFrame:
    text = pl.col(data.key)
    day = (text.str.len_bytes() == 10) & text.str.to_date("%Y-%m-%d", strict=False).is_not_null()
    return data.lazyframe.select(text.is_null() | day)


def _lists_make_a_crystal() -> pl.Expr:
    lattice, numbers, coords = (pl.col(name) for name in ("lattice", "atomic_numbers", "frac_coords"))
    sites = numbers.list.len()
    shapes = (lattice.list.len() == 9) & (sites > 0) & (coords.list.len() == 3 * sites)
    whole = [column.list.len() == column.list.drop_nulls().list.len() for column in (lattice, numbers, coords)]
    return pl.all_horizontal(shapes, *whole)


def _crystal_agrees() -> pl.Expr:
    numbers, elements = pl.col("atomic_numbers"), pl.col("chemsys").str.count_matches("-", literal=True) + 1
    return (numbers.list.len() == pl.col("nsites")) & (numbers.list.n_unique() == elements)


def _on_one_side(key: str) -> pl.Expr:
    """All train or all held out, and not both validation and test; holdout crystals may join either held-out side."""
    split = pl.col("split")
    learned, held_out = (split == "train").any().over(key), (split != "train").any().over(key)
    both = (split == "validation").any().over(key) & (split == "test").any().over(key)
    return ~(learned & held_out) & ~both


class Encoded(Lenient):
    """Tables with a crystal in three list columns."""

    _crystal = check(
        "nine lattice numbers, at least one atom, three coordinates per atom, no gaps", _lists_make_a_crystal()
    )


class Structures(Encoded):
    """What every table of crystals holds; each row is one periodic crystal."""

    material_id: str = field("Identifier, unique, kept for life", unique=True, str_length={"min_value": 1})
    formula_pretty: str = field("Reduced formula, pymatgen style", str_length={"min_value": 1})
    chemsys: str = field("Elements, in alphabetical order, joined by '-'", str_length={"min_value": 1})
    nsites: pl.Int32 = field("Atoms in the cell", ge=1)
    spacegroup_number: pl.Int32 = field(
        "International space group number (moyopy, symprec 0.1)", in_range={"min_value": 1, "max_value": 230}
    )
    prototype: str = field("Structure type without elements: stoichiometry, Pearson symbol, space group, orbits")
    decorated_prototype: str = field(
        "The same with elements on their orbits; equal for the same composition and prototype"
    )
    lattice: pl.List(pl.Float64) = field("Lattice vectors, one after the other (9 numbers)", "Å")  # type: ignore[valid-type]
    atomic_numbers: pl.List(pl.UInt8) = field("Atomic number of each site")  # type: ignore[valid-type]
    frac_coords: pl.List(pl.Float64) = field("Fractional coordinates, site after site (3 per site)")  # type: ignore[valid-type]

    _sorted = check(
        "elements of chemsys in alphabetical order, each once",
        pl.col("chemsys").str.split("-").list.unique().list.sort().list.join("-") == pl.col("chemsys"),
    )


class Dated(Lenient):
    """Tables that know how old a crystal is."""

    created_at: str = field("Day the source made the entry, YYYY-MM-DD", nullable=True)

    _day = pa.check("created_at", name="a_day", error="a day of the calendar", n_failure_cases=SHOWN)(_a_day)


class Sound(Contract, Structures):
    """Tables of crystals whose columns have been compared with each other."""

    _agrees = check("nsites counts the atoms, chemsys the elements of the crystal", _crystal_agrees())


class Crystals(Sound, Dated):
    """Known crystals of a round: every energy of one kind, on one hull."""

    energy_per_atom: pl.Float64 = field("Total energy of the relaxed crystal, on the scale of the campaign", "eV/atom")
    formation_energy_per_atom: pl.Float64 = field(
        "Relative to the elements on the same scale", "eV/atom", in_range={"min_value": -10, "max_value": 10}
    )
    energy_above_hull: pl.Float64 = field("Distance to the convex hull of this table", "eV/atom", ge=0)
    source_formation_energy_per_atom: pl.Float64 = field(
        "Formation energy that the snapshot gave, for comparison only", "eV/atom", nullable=True
    )
    origin: str = field(
        "'snapshot', 'reference' (a pure element added for the hull), or the round that verified the crystal"
    )
    split: str = field(
        "Part of the data; holdout crystals are on the hull, but neither learned from nor tested on", isin=list(PARTS)
    )

    _formulas = check("no reduced formula on two sides of the split (leakage)", _on_one_side("formula_pretty"))
    _elements = check(
        "pure elements are in train",
        pl.col("chemsys").str.contains("-", literal=True) | (pl.col("split") == "train"),
    )


class CrystalsByChemsys(Crystals):
    """Known crystals of a campaign that is split by chemical system."""

    _systems = check("no chemical system on two sides of the split (leakage)", _on_one_side("chemsys"))


class Labelled(Crystals):
    """The whole snapshot on one scale, the oracle's or the source's, before it is split."""

    split: str = field("Always 'train' before the split", isin=["train"])


class Phases(Contract):
    """Competing phases of which no structure is known: they are on the hull, and their formulas are known."""

    material_id: str = field("Identifier, unique, that no crystal has", unique=True, str_length={"min_value": 1})
    formula_pretty: str = field("Reduced formula, pymatgen style", str_length={"min_value": 1})
    chemsys: str = field("Elements, in alphabetical order, joined by '-'", str_length={"min_value": 1})
    formation_energy_per_atom: pl.Float64 = field(
        "On the scale of the snapshot", "eV/atom", in_range={"min_value": -10, "max_value": 10}
    )


class References(Contract):
    """Elemental reference energies: the lowest known crystal of each element, or what the parameters state."""

    element: str = field("Element symbol", unique=True, str_length={"min_value": 1, "max_value": 2})
    energy_per_atom: pl.Float64 = field("Total energy of the lowest crystal", "eV/atom")
    material_id: str = field("Which crystal that is; 'stated' where the parameters give the energy")
