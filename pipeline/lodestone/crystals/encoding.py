"""Crystals as columns of a table: lattice, atomic numbers and fractional coordinates as parquet lists."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import SYMBOLS
from lodestone.crystals.symmetry import symmetries_of


def encode(crystals: Sequence[Crystal]) -> pl.DataFrame:
    """Crystals as three list columns.

    Returns:
        ``lattice`` (9 floats, rows are vectors, Å), ``atomic_numbers`` (n) and ``frac_coords`` (3 n), lossless.
    """
    return pl.DataFrame(
        {
            "lattice": [crystal.lattice.ravel() for crystal in crystals],
            "atomic_numbers": [crystal.atomic_numbers for crystal in crystals],
            "frac_coords": [crystal.frac_coords.ravel() for crystal in crystals],
        },
        schema={
            "lattice": pl.List(pl.Float64),
            "atomic_numbers": pl.List(pl.UInt8),
            "frac_coords": pl.List(pl.Float64),
        },
    )


def decode(table: pl.DataFrame) -> list[Crystal]:
    """The crystals of a table with the columns of :func:`encode`."""
    numbers = table["atomic_numbers"].explode(empty_as_null=False).to_numpy()
    coords = table["frac_coords"].explode(empty_as_null=False).to_numpy().reshape(-1, 3)
    lattices = table["lattice"].explode(empty_as_null=False).to_numpy().reshape(-1, 3, 3)
    ends = np.cumsum(table["atomic_numbers"].list.len().to_numpy())
    pieces = zip(lattices, np.split(numbers, ends)[:-1], np.split(coords, ends)[:-1], strict=True)
    return [Crystal(lattice, z, x) for lattice, z, x in pieces]


def describe(crystals: Sequence[Crystal]) -> pl.DataFrame:
    """Encoding plus everything derived from the crystal: formula, chemical system, symmetry, prototype."""
    symmetries = symmetries_of(crystals)
    derived = pl.DataFrame(
        {
            "formula_pretty": [reduced_formula(crystal.atomic_numbers) for crystal in crystals],
            "chemsys": [chemical_system(crystal.atomic_numbers) for crystal in crystals],
            "nsites": [len(crystal) for crystal in crystals],
            "spacegroup_number": [symmetry.spacegroup_number for symmetry in symmetries],
            "prototype": [symmetry.prototype for symmetry in symmetries],
            "decorated_prototype": [symmetry.decorated for symmetry in symmetries],
        },
        schema={
            "formula_pretty": pl.String,
            "chemsys": pl.String,
            "nsites": pl.Int32,
            "spacegroup_number": pl.Int32,
            "prototype": pl.String,
            "decorated_prototype": pl.String,
        },
    )
    return derived.hstack(encode(crystals))


def reduced_formula(atomic_numbers: np.ndarray) -> str:
    """Reduced formula as pymatgen writes it (``formula_pretty`` of the Materials Project)."""
    from pymatgen.core import Composition

    numbers, counts = np.unique(atomic_numbers, return_counts=True)
    amounts = {SYMBOLS[z]: int(n) for z, n in zip(numbers, counts, strict=True)}
    return str(Composition(amounts).reduced_formula)


def chemical_system(atomic_numbers: np.ndarray) -> str:
    """Elements in alphabetical order joined by ``-``."""
    return "-".join(sorted(SYMBOLS[z] for z in np.unique(atomic_numbers)))
