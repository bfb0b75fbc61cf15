"""From predictions to a batch: near the hull, of different formulas and systems, and nothing that is known already."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import reduced_formula
from lodestone.crystals.symmetry import symmetry_of
from lodestone.reference.build import estimated_volume
from lodestone.reference.decorations import Decoration
from lodestone.reference.ledger import decorations_of, plan_of
from lodestone.reference.prototypes import all_prototypes

_PREDICTED = "energy_above_hull_pred"


@dataclass(frozen=True)
class Limits:
    """What a batch may hold.

    Attributes:
        batch: Largest number of decorations.
        margin: Highest predicted distance to the hull, eV/atom.
        per_formula: Most decorations of a formula.
        per_system: Most decorations of a chemical system.
        turns: How often compounds of two, three and more elements take a turn. Without turns, compounds of four would
            come first: as long as compounds of two are missing, they lie deepest below the hull.
    """

    batch: int = 1000
    margin: float = 0.1
    per_formula: int = 2
    per_system: int = 8
    turns: tuple[int, ...] = (5, 4, 1)


def select(judged: pl.DataFrame, known: pl.DataFrame, limits: Limits) -> pl.DataFrame:
    """The decorations to relax next, as a plan: the lowest predicted of two, three and more elements in turns.

    The lowest one of a pair of elements without any compound is taken however high it lies: else the hull of the pair
    would stay the line between its elements, and nothing would contradict the networks.

    Args:
        judged: Table of :class:`lodestone.reference.screening.Screened`.
        known: The reference set.
        limits: What a batch may hold.
    """
    ranked = judged.sort(_PREDICTED, "aflow_prototype", "decoration")
    is_pair = pl.col("chemsys").str.count_matches("-", literal=True) == 1
    is_open = is_pair & ~pl.col("chemsys").is_in(known["chemsys"].unique().implode())
    first = pl.int_range(pl.len()).over("chemsys") == 0
    near = ranked.filter((pl.col(_PREDICTED) <= limits.margin) | (is_open & first))
    new = near.filter(_is_new(near, known))
    few = new.filter(pl.int_range(pl.len()).over("formula") < limits.per_formula)
    fair = few.filter(pl.int_range(pl.len()).over("chemsys") < limits.per_system)
    chosen = fair.sort(_turn(limits.turns), maintain_order=True).head(limits.batch)
    starts = zip(decorations_of(chosen), chosen["volume"], strict=True)
    decorations = decorations_of(chosen)
    return plan_of(decorations, [scale_of(item, volume) for item, volume in starts])


def _turn(turns: tuple[int, ...]) -> pl.Expr:
    """When it is the turn of each row, ranked within its number of elements."""
    n_elements = pl.col("chemsys").str.count_matches("-", literal=True).cast(pl.Int64) + 1
    place = (n_elements - 2).clip(0, len(turns) - 1)
    weight = place.replace_strict(dict(enumerate(turns)), return_dtype=pl.Int64)
    return (pl.int_range(1, pl.len() + 1).over(place)) / weight


def scale_of(item: Decoration, volume: float) -> float:
    """Factor on the guessed volume that gives a volume, so that a row of the file says where it started."""
    label, elements = item
    return volume / estimated_volume(all_prototypes()[label].decorate(elements), elements)


def _is_new(judged: pl.DataFrame, known: pl.DataFrame) -> pl.Series:
    """Which decorations are not already known as a relaxed crystal of the same formula and orbits."""
    identities = {*known.select("formula_pretty", "decorated_prototype").iter_rows()}
    prototypes = all_prototypes()
    crystals = [prototypes[label].decorate(elements) for label, elements in decorations_of(judged)]
    return pl.Series([_identity(crystal) not in identities for crystal in crystals], dtype=pl.Boolean)


def _identity(crystal: Crystal) -> tuple[str, str]:
    return reduced_formula(crystal.atomic_numbers), symmetry_of(crystal).decorated
