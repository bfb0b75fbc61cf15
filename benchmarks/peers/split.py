"""Which crystals are learned from, watched and tested on: whole chemical systems apart."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import decode
from lodestone.errors import LodestoneError
from lodestone.runtime.seeds import child_generator
from lodestone.tables.files import read_table, write_table
from materials_project import packed, read_crystals

MAX_SITES = 20
N_TEST = 1500
N_VALIDATION = 500

_COLUMNS = ["material_id", "chemsys", "formation_energy_per_atom", "energy_above_hull", "structure"]


@dataclass(frozen=True)
class Split:
    """Rows of the source, each table with its columns.

    Attributes:
        train: In random order: the first ``n`` rows are the training set of size ``n``, so that these are nested.
        validation: Of systems that no other part has.
        test: Likewise; the same whatever the size of the training set.
    """

    train: pl.DataFrame
    validation: pl.DataFrame
    test: pl.DataFrame


@dataclass(frozen=True)
class Part:
    """Crystals and their formation energies, shape ``(n,)``, eV/atom."""

    crystals: list[Crystal]
    energies: np.ndarray


def read_source(folder: Path) -> pl.DataFrame:
    """The crystals of the Materials Project that are small enough.

    Raises:
        LodestoneError: If the file is missing or lacks columns.
    """
    return read_crystals(folder).filter(pl.col("nsites") <= MAX_SITES).select(_COLUMNS)


def draw_split(
    table: pl.DataFrame, largest: int, seed: int, n_test: int = N_TEST, n_validation: int = N_VALIDATION
) -> Split:
    """Deal whole chemical systems to test and validation; all the others are for training.

    Rows of the last system of a part that are more than were asked for are left out of everything.

    Args:
        table: What :func:`read_source` gives.
        largest: Size of the largest training set.
        seed: Root seed.
        n_test: Crystals to test on.
        n_validation: Crystals to watch.

    Raises:
        LodestoneError: If there are not enough crystals.
    """
    dealt = _in_random_systems(table, seed)
    last = dealt["rank"].n_unique()
    ends = dealt.group_by("rank").len().sort("rank")["len"].cum_sum().to_numpy()
    first = min(last, _systems_for(n_test, ends))
    second = min(last, _systems_for(ends[first - 1] + n_validation, ends)) if last else 0
    test, validation = dealt.filter(pl.col("rank") < first), dealt.filter(pl.col("rank").is_between(first, second - 1))
    rest = dealt.filter(pl.col("rank") >= second).sort("material_id")
    if len(rest) < largest:
        raise LodestoneError(
            f"--sizes: {largest:,} training crystals are asked for, and {len(rest):,} are left beside the test set",
            "ask for a smaller size",
        )
    chosen = child_generator(seed, "peers", "training").permutation(len(rest))[:largest]
    parts = (rest[chosen], validation.head(n_validation), test.head(n_test))
    return Split(*(part.drop("rank") for part in parts))


def _in_random_systems(table: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The table with the rank of each chemical system in a random order, sorted by it."""
    systems = table["chemsys"].unique().sort()
    ranks = child_generator(seed, "peers", "systems").permutation(len(systems))
    ranked = pl.DataFrame({"chemsys": systems, "rank": ranks})
    return table.join(ranked, on="chemsys").sort("rank", "material_id")


def _systems_for(crystals: int, ends: np.ndarray) -> int:
    """How many of the systems, in their order, hold so many crystals."""
    return int(np.searchsorted(ends, crystals)) + 1


def write_parts(split: Split, sizes: list[int], folder: Path) -> None:
    """Write ``test``, ``validation`` and one training file per size, structures packed, for the workers to read."""
    for size in sizes:
        write_table(packed(split.train.head(size)), training_file(folder, size))
    write_table(packed(split.validation), folder / "validation.parquet")
    write_table(packed(split.test), folder / "test.parquet")


def training_file(folder: Path, size: int) -> Path:
    """Where the training set of a size is."""
    return folder / f"train-{size}.parquet"


def read_part(path: Path) -> Part:
    """Read what :func:`write_parts` wrote."""
    table = read_table(path)
    return Part(decode(table), table["formation_energy_per_atom"].to_numpy())


def digest(split: Split, size: int) -> str:
    """Names the crystals and labels of one run: results of another draw are not taken for this one's."""
    parts = (split.train.head(size), split.validation, split.test)
    columns = [part.select("material_id", "formation_energy_per_atom").write_csv() for part in parts]
    return hashlib.blake2b("\n".join(columns).encode(), digest_size=8).hexdigest()
