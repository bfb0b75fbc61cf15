"""The crystals of the Materials Project as training wants them, in parts that have nothing in common."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence
from hashlib import md5
from pathlib import Path

import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.crystals.encoding import describe, encode
from lodestone.errors import LodestoneError
from lodestone.runtime.seeds import child_generator
from lodestone.tables.files import read_table

FILE = "mp_structures.parquet"
ENERGY = "formation_energy_per_atom"


def read_crystals(folder: Path) -> pl.DataFrame:
    """The file as it is.

    Raises:
        LodestoneError: If it is missing or lacks columns.
    """
    path = folder / FILE
    if not path.is_file():
        remedy = f"name the folder of {FILE} with --data or the variable LODESTONE_SHARED_DATA"
        raise LodestoneError(f"{path} does not exist", remedy)
    table = read_table(path)
    needed = {"material_id", "formula", "chemsys", "nsites", ENERGY, "energy_above_hull", "structure"}
    if missing := sorted(needed - set(table.columns)):
        raise LodestoneError(f"{path} has no column {', '.join(missing)}", "take the file that its README describes")
    return table


def crystals_of(rows: pl.DataFrame) -> list[Crystal]:
    """The crystals of its column ``structure``."""
    found = (json.loads(text) for text in rows["structure"])
    return [Crystal(one["lattice"], [ATOMIC_NUMBERS[s] for s in one["species"]], one["frac_coords"]) for one in found]


def packed(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with their crystals in the columns of :func:`lodestone.crystals.encoding.encode`."""
    return rows.drop("structure").hstack(encode(crystals_of(rows)))


def described(rows: pl.DataFrame, *kept: str) -> pl.DataFrame:
    """Some columns of the rows, their crystals, and the prototypes by which one is made from another."""
    found = describe(crystals_of(rows)).drop("formula_pretty", "chemsys", "spacegroup_number", "nsites")
    return rows.select("material_id", "formula", "chemsys", ENERGY, *kept).hstack(found)


def deal(asked: Namespace) -> pl.DataFrame:
    """Crystals drawn as the options of :func:`options.ensemble_parser` say, ready to train on; see :func:`draw`."""
    drawn = draw(read_crystals(asked.data), asked.train, asked.test, asked.elements.split(","), asked.max_sites)
    return described(drawn, "split")


def draw(table: pl.DataFrame, train: int, test: int, elements: Sequence[str], max_sites: int) -> pl.DataFrame:
    """Draw crystals with their part in `split`, sorted by ``material_id``.

    All crystals of some elements and a tenth of the chemical systems are left out. Of the other systems, whole ones are
    drawn until there are enough training crystals, and their formulas are dealt by hash.

    Args:
        table: What :func:`read_crystals` gives.
        train: Training crystals.
        test: Crystals of ``elements`` and of ``systems``, at most.
        elements: Elements that are left out.
        max_sites: Larger cells are left out of everything.
    """
    system, formula = hash_of("chemsys"), hash_of("formula")
    strange = pl.col("chemsys").str.split("-").list.set_intersection(list(elements)).list.len() > 0
    is_element = ~pl.col("chemsys").str.contains("-", literal=True)
    part = (
        pl.when(strange).then(pl.lit("elements"))
        .when(is_element).then(pl.lit("train"))
        .when(system % 10 == 0).then(pl.lit("systems"))
        .when(formula % 100 < 10).then(pl.lit("formulas"))
        .when(formula % 100 < 25).then(pl.lit("validation"))
        .otherwise(pl.lit("train"))
    )  # fmt: skip
    dealt = table.filter(pl.col("nsites") <= max_sites).with_columns(
        part.alias("split"), pl.when(is_element).then(0).otherwise(system).alias("draw")
    )
    dealt = dealt.sort("draw", "material_id")
    last = dealt.filter(pl.col("split") == "train")["draw"].head(train).max()
    near = dealt.filter(~pl.col("split").is_in(["elements", "systems"]) & (pl.col("draw") <= last))
    far = [dealt.filter(pl.col("split") == part).head(test) for part in ("elements", "systems")]
    return pl.concat([near, *far]).sort("material_id")


def split_by_system(table: pl.DataFrame, max_sites: int, n_validation: int = 2000) -> pl.DataFrame:
    """A tenth of the chemical systems to test on, some of a twentieth to watch, the rest and the elements for training.

    The first ``n`` training crystals by ``rank`` are the training set of size ``n``.

    Args:
        table: What :func:`read_crystals` gives.
        max_sites: Larger cells are left out of everything.
        n_validation: Crystals to watch, at most.
    """
    system = hash_of("chemsys") % 20
    is_element = ~pl.col("chemsys").str.contains("-", literal=True)
    part = pl.when(is_element | (system > 2)).then(pl.lit("train"))
    part = part.when(system < 2).then(pl.lit("test")).otherwise(pl.lit("validation"))
    rows = table.filter(pl.col("nsites") <= max_sites).sort("material_id")
    rank = pl.Series(child_generator(0, "scaling").permutation(len(rows)))
    rows = rows.with_columns(part.alias("split"), rank=rank)
    watched = rows.filter(pl.col("split") == "validation").sort("rank").head(n_validation)
    return pl.concat([rows.filter(pl.col("split") != "validation"), watched])


def hash_of(column: str) -> pl.Expr:
    """A number that depends on the text of a column and on nothing else."""
    return pl.col(column).map_elements(_hash, return_dtype=pl.Int64)


def _hash(text: str) -> int:
    return int(md5(text.encode(), usedforsecurity=False).hexdigest()[:12], 16)
