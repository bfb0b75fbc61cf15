"""Known crystals as screening would see them, made from training crystals only."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipeline.crystals.analogues import analogues
from pipeline.crystals.crystal import Crystal
from pipeline.seeds import child_generator

HELD_OUT = ("validation", "test")


@dataclass(frozen=True)
class Guesses:
    """Crystals that have an analogue, and the analogues.

    Attributes:
        table: The relaxed crystals, sorted by ``material_id``.
        crystals: Each of them as it would be guessed.
    """

    table: pl.DataFrame
    crystals: list[Crystal]


def part_of(crystals: pl.DataFrame, *parts: str) -> pl.DataFrame:
    """The crystals of some parts of the split, sorted by ``material_id``."""
    return crystals.filter(pl.col("split").is_in(parts)).sort("material_id")


def guesses_to_learn_from(crystals: pl.DataFrame, seed: int) -> list[Crystal | None]:
    """The training crystals, sorted by ``material_id``, as others of them would suggest; ``None`` where none does."""
    train = part_of(crystals, "train")
    return analogues(train, train, child_generator(seed, "guesses", "train"))


def guesses_held_out(crystals: pl.DataFrame, seed: int) -> Guesses:
    """The validation and test crystals as training crystals would suggest them, where any does."""
    unseen = part_of(crystals, *HELD_OUT)
    made = analogues(unseen, part_of(crystals, "train"), child_generator(seed, "guesses", "held out"))
    rows = [row for row, crystal in enumerate(made) if crystal is not None]
    return Guesses(unseen[rows], [crystal for crystal in made if crystal is not None])
