"""What changed between two snapshots: crystals added and removed, energies, structures, and sides of the hull.

Crystals are matched by ``material_id``. Only energies of one kind are compared: formation energies where both
snapshots give them, else total energies. Stability is taken from each source's own hull.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from lodestone.errors import LodestoneError
from lodestone.schemas import ADDS_UP

TOLERANCE = 1e-3  # eV/atom
MOVED = 1e-2  # Å: cells and positions that differ by less count as the same
ENERGIES = ("formation_energy_per_atom", "energy_per_atom")
KINDS = ("label_method", "correction_scheme")
_ENCODED = ("lattice", "atomic_numbers", "frac_coords")


@dataclass(frozen=True)
class Drift:
    """The difference of two snapshots.

    Attributes:
        crystals: Contract :class:`lodestone.schemas.Drift`; largest change of energy first.
        systems: Contract :class:`lodestone.schemas.SystemDrift`; most flips first.
        n_old: Rows of the old snapshot.
        n_new: Rows of the new snapshot.
        energy: Column whose change is reported.
        tolerance: Changes of energy up to this do not count, eV/atom.
        kinds: Label method and correction scheme of both, old first.
        n_stability: Crystals whose distance to the hull is given by both snapshots.
    """

    crystals: pl.DataFrame
    systems: pl.DataFrame
    n_old: int
    n_new: int
    energy: str
    tolerance: float
    kinds: tuple[str, str]
    n_stability: int

    @property
    def mixed(self) -> bool:
        """Whether energies of different kinds are compared."""
        return self.kinds[0] != self.kinds[1]

    def count(self, condition: pl.Expr) -> int:
        """Rows of :attr:`crystals` that fulfill a condition."""
        return len(self.crystals.filter(condition))


def compare(old: pl.DataFrame, new: pl.DataFrame, tolerance: float = TOLERANCE, across_labels: bool = False) -> Drift:
    """Compare two snapshots.

    Args:
        old: Contract :class:`lodestone.schemas.Snapshot`.
        new: Likewise.
        tolerance: Changes of energy up to this do not count, eV/atom.
        across_labels: Also compare energies of different label methods or correction schemes.

    Raises:
        LodestoneError: If label methods or correction schemes differ and ``across_labels`` is not set.
    """
    kinds = (_kind(old), _kind(new))
    if kinds[0] != kinds[1] and not across_labels:
        raise LodestoneError(
            f"the snapshots hold energies of different kinds: {kinds[0]} and {kinds[1]}",
            "their difference is mostly that of the methods; --across-labels compares them all the same",
        )
    energy = next((name for name in ENERGIES if _given(old, name) and _given(new, name)), ENERGIES[0])
    joined = _joined(old, new, energy)
    compared = joined.with_columns(_structure_changes(old, new, joined), *_changes(tolerance))
    moved = (pl.col("presence") != "kept") | pl.col("energy_changed") | (pl.col("structure") != "same")
    crystals = compared.filter(moved | (pl.col("flip") != "none")).select(
        "material_id", "formula_pretty", "chemsys", "presence", "structure", "energy_old", "energy_new",
        "energy_change", "energy_changed", "energy_above_hull_old", "energy_above_hull_new", "flip",
    ).sort(pl.col("energy_change").abs(), "material_id", descending=[True, False], nulls_last=True)  # fmt: skip
    known = pl.all_horizontal(pl.col("energy_above_hull_old", "energy_above_hull_new").is_not_null())
    counts = len(old), len(new), energy, tolerance, kinds, len(compared.filter(known))
    return Drift(crystals, by_system(crystals), *counts)


def by_system(crystals: pl.DataFrame) -> pl.DataFrame:
    """Changes per chemical system: contract :class:`lodestone.schemas.SystemDrift`, most flips first."""
    count = {
        "n_added": pl.col("presence") == "added",
        "n_removed": pl.col("presence") == "removed",
        "n_energy": pl.col("energy_changed"),
        "n_structure": (pl.col("structure") != "same").fill_null(value=False),
        "n_became_stable": pl.col("flip") == "became stable",
        "n_became_unstable": pl.col("flip") == "became unstable",
    }
    largest = pl.col("energy_change").abs().max().alias("largest_energy_change")
    counted = crystals.group_by("chemsys").agg(
        *(condition.sum().cast(pl.UInt32).alias(name) for name, condition in count.items()), largest
    )
    flips, changes = pl.col("n_became_stable") + pl.col("n_became_unstable"), pl.sum_horizontal(list(count))
    return counted.sort(flips, changes, "chemsys", descending=[True, True, False])


def _kind(table: pl.DataFrame) -> str:
    kinds = table.select(KINDS).unique().sort(KINDS).rows()
    return " and ".join(f"{method} (corrections: {scheme})" for method, scheme in kinds)


def _given(table: pl.DataFrame, name: str) -> bool:
    return table[name].null_count() < len(table)


def _joined(old: pl.DataFrame, new: pl.DataFrame, energy: str) -> pl.DataFrame:
    """One row per crystal of either snapshot; numbers that are not finite count as missing."""
    numbers = {energy: "energy", "energy_above_hull": "energy_above_hull"}

    def side(table: pl.DataFrame, end: str) -> pl.DataFrame:
        finite = [pl.when(pl.col(n).is_finite()).then(n).alias(f"{to}_{end}") for n, to in numbers.items()]
        names = [pl.col(name).alias(f"{name}_{end}") for name in ("formula_pretty", "chemsys", "decorated_prototype")]
        return table.select("material_id", *names, *finite).with_row_index(f"row_{end}")

    both = side(old, "old").join(side(new, "new"), on="material_id", how="full", coalesce=True)
    gone, fresh = pl.col("row_new").is_null(), pl.col("row_old").is_null()
    presence = pl.when(fresh).then(pl.lit("added")).when(gone).then(pl.lit("removed")).otherwise(pl.lit("kept"))
    named = [pl.coalesce(f"{name}_new", f"{name}_old").alias(name) for name in ("formula_pretty", "chemsys")]
    return both.with_columns(presence.alias("presence"), *named).sort("material_id")


def _changes(tolerance: float) -> list[pl.Expr]:
    kept = pl.col("presence") == "kept"
    old, new = pl.col("energy_old"), pl.col("energy_new")
    appeared = old.is_null() != new.is_null()
    changed = kept & (appeared | ((new - old).abs() > tolerance).fill_null(value=False))
    before, after = (pl.col(f"energy_above_hull_{end}") <= ADDS_UP for end in ("old", "new"))
    flip = (
        pl.when(kept & ~before & after)
        .then(pl.lit("became stable"))
        .when(kept & before & ~after)
        .then(pl.lit("became unstable"))
        .otherwise(pl.lit("none"))
    )
    change = pl.when(kept).then(new - old)
    return [change.alias("energy_change"), changed.alias("energy_changed"), flip.alias("flip")]


def _structure_changes(old: pl.DataFrame, new: pl.DataFrame, joined: pl.DataFrame) -> pl.Series:
    """The first thing that changed in each crystal of both snapshots: composition, prototype, or cell and positions."""
    kept = joined.filter(pl.col("presence") == "kept")
    pairs = kept.hstack(_side(old, kept, "old")).hstack(_side(new, kept, "new"))
    aligned = pairs["atomic_numbers_old"] == pairs["atomic_numbers_new"]
    moved = (~aligned).scatter(aligned.arg_true(), _moved(pairs.filter(aligned)))
    change = (
        pl.when(pl.col("formula_pretty_old") != pl.col("formula_pretty_new"))
        .then(pl.lit("composition"))
        .when(pl.col("decorated_prototype_old") != pl.col("decorated_prototype_new"))
        .then(pl.lit("prototype"))
        .when(moved)
        .then(pl.lit("cell"))
        .otherwise(pl.lit("same"))
    )
    changes = pairs.select("material_id", change.alias("structure"))
    return joined.select("material_id").join(changes, on="material_id", how="left", maintain_order="left")["structure"]


def _side(table: pl.DataFrame, kept: pl.DataFrame, end: str) -> pl.DataFrame:
    return table.select(pl.col(name).alias(f"{name}_{end}") for name in _ENCODED)[kept[f"row_{end}"]]


def _moved(pairs: pl.DataFrame) -> np.ndarray:
    """Whether cell or positions differ, for crystals with the same atoms in the same order.

    Cells are compared by their edges and face diagonals, which do not change when a crystal is rotated; positions may
    differ by lattice vectors.
    """
    sizes = pairs["atomic_numbers_new"].list.len().cast(pl.Int64).to_numpy()
    if len(sizes) == 0:
        return np.zeros(0, dtype=bool)
    cells = [_numbers(pairs[f"lattice_{end}"]).reshape(-1, 3, 3) for end in ("old", "new")]
    lengths = [
        np.linalg.norm(np.concatenate([cell, cell + np.roll(cell, 1, axis=1)], axis=1), axis=2) for cell in cells
    ]
    resized = np.abs(lengths[1] - lengths[0]).max(axis=1) > MOVED
    steps = np.subtract(*(_numbers(pairs[f"frac_coords_{end}"]).reshape(-1, 3) for end in ("new", "old")))
    steps -= np.round(steps)
    paths = np.einsum("si,sij->sj", steps, np.repeat(cells[1], sizes, axis=0))
    longest = np.maximum.reduceat(np.linalg.norm(paths, axis=1), np.cumsum(sizes) - sizes)
    return np.asarray(resized | (longest > MOVED))


def _numbers(lists: pl.Series) -> np.ndarray:
    return np.asarray(lists.explode(empty_as_null=False).to_numpy())
