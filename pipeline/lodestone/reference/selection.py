"""From predictions to a batch: near the hull, of many elements and systems, and nothing that is known already."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import reduced_formula
from lodestone.crystals.symmetry import symmetry_of
from lodestone.reference.build import estimated_volume
from lodestone.reference.decorations import Decoration
from lodestone.reference.ledger import decorations_of, plan_of
from lodestone.reference.prototypes import all_prototypes
from lodestone.reference.quotas import Quotas, most_of_element

_PREDICTED = "energy_above_hull_pred"
_DIGITS = 4  # of the factor on a volume


@dataclass(frozen=True)
class Limits:
    """What a batch may hold.

    Attributes:
        batch: Largest number of decorations.
        margin: Highest predicted distance to the hull, eV/atom.
        per_formula: Most decorations of a formula. What it relaxed to is known when the next pass ranks the others.
        per_system: Most decorations of a chemical system.
        crowding: How often an element may be there, over how often if all elements were used alike; of two, of three
            and of more elements each. Without it, a first pass relaxes fluorides: nothing lies deeper below a hull that
            lacks them.
        turns: How often compounds of two, three and more elements take a turn. Without turns, compounds of four would
            come first: as long as compounds of two are missing, they lie deepest below the hull.
    """

    batch: int = 1000
    margin: float = 0.1
    per_formula: int = 1
    per_system: int = 2
    crowding: float = 3.0
    turns: tuple[int, ...] = (3, 6, 1)


def select(judged: pl.DataFrame, known: pl.DataFrame, limits: Limits) -> pl.DataFrame:
    """The decorations to relax next, as a plan: the lowest predicted of two, three and more elements in turns.

    They are taken from the lowest up, as long as no formula, system or element is there too often.

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
    placed = near.with_columns(_place(limits).alias("place"))
    admitted = placed.filter(pl.Series(list(_admitted(placed, known, limits)), dtype=pl.Boolean))
    chosen = admitted.sort(_turn(limits), maintain_order=True).head(limits.batch)
    decorations = decorations_of(chosen)
    starts = zip(decorations, chosen["volume"], strict=True)
    return plan_of(decorations, [scale_of(item, volume) for item, volume in starts])


def _admitted(ranked: pl.DataFrame, known: pl.DataFrame, limits: Limits) -> Iterator[bool]:
    """For each row in turn, whether it is within the limits, and new."""
    identities = {*known.select("formula_pretty", "decorated_prototype").iter_rows()}
    quotas, prototypes, n_elements = Quotas(), all_prototypes(), known["chemsys"].str.split("-").explode().n_unique()
    kinds = ranked.select("formula", "chemsys", "place").iter_rows()
    for (formula, system, place), (label, elements) in zip(kinds, decorations_of(ranked), strict=True):
        most = _quotas(formula, system, place, n_elements=n_elements, limits=limits)
        admits = quotas.admit(most) and _identity(prototypes[label].decorate(elements)) not in identities
        if admits:
            quotas.take(most)
        yield admits


def _quotas(formula: str, system: str, place: int, *, n_elements: int, limits: Limits) -> dict[Hashable, float]:
    elements = system.split("-")
    total = limits.batch * limits.turns[place] / sum(limits.turns)
    most = most_of_element(total, len(elements), n_elements, limits.crowding)
    by_element: dict[Hashable, float] = {(place, x): most for x in elements}
    return {("formula", formula): limits.per_formula, ("system", system): limits.per_system, **by_element}


def _place(limits: Limits) -> pl.Expr:
    """Which of the turns each row takes, by its number of elements."""
    n_elements = pl.col("chemsys").str.count_matches("-", literal=True).cast(pl.Int64) + 1
    return (n_elements - 2).clip(0, len(limits.turns) - 1)


def _turn(limits: Limits) -> pl.Expr:
    """When it is the turn of each row, ranked within its place."""
    weight = pl.col("place").replace_strict(dict(enumerate(limits.turns)), return_dtype=pl.Int64)
    return (pl.int_range(1, pl.len() + 1).over("place")) / weight


def scale_of(item: Decoration, volume: float) -> float:
    """Factor on the guessed volume that gives a volume, so that a row of the file says where it started."""
    label, elements = item
    return round(volume / estimated_volume(all_prototypes()[label].decorate(elements), elements), _DIGITS)


def _identity(crystal: Crystal) -> tuple[str, str]:
    return reduced_formula(crystal.atomic_numbers), symmetry_of(crystal).decorated
