"""Ionic substitution in known crystals, drawn by probabilities that were mined from crystals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from pydantic import Field

from lodestone.config.discovery import SubstitutingParams
from lodestone.config.registry import GENERATORS
from lodestone.config.sections import Fraction
from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS
from lodestone.crystals.encoding import decode
from lodestone.discovery.generators.base import Known, Proposal
from lodestone.substitution.draw import (
    LEAST_PROBABILITY,
    MOST_ABOVE_HULL,
    Replacement,
    Substitution,
    draw_substitutions,
)
from lodestone.substitution.table import probability_table
from lodestone.substitution.volumes import AtomicVolumes


class SubstitutionParams(SubstitutingParams):
    """Settings of the generator `substitution`."""

    min_substitution_probability: Fraction = Field(
        LEAST_PROBABILITY,
        description="least likely replacement (GNoME: 0.001); with 0, all that are possible are drawn from",
    )
    max_parent_energy_above_hull: float = Field(
        MOST_ABOVE_HULL, ge=0, description="crystals further from the hull have no children, eV/atom"
    )


@GENERATORS.register("substitution", settings=SubstitutionParams)
@dataclass(frozen=True)
class SubstitutionGenerator:
    """Known crystals with one or two elements replaced, at the volume that the new elements suggest."""

    settings: SubstitutionParams

    def propose(self, known: Known, rng: np.random.Generator, limit: int) -> Iterator[Proposal]:
        """Draw without replacement, likelier substitutions first, of those the ones in incomplete systems first.

        See :class:`Generator`.
        """
        parents = parents_among(known, self.settings.max_parent_energy_above_hull, known.max_elements)
        names, labels = known.crystals["material_id"].to_list(), known.crystals["decorated_prototype"].to_list()
        crystals = decode(known.crystals)
        volumes = AtomicVolumes.fit(crystals)
        elements = [np.unique(crystals[row].atomic_numbers) for row in parents]
        allowed = np.array(sorted(ATOMIC_NUMBERS[symbol] for symbol in known.elements))
        least = self.settings.min_substitution_probability
        urgent, table = known.incomplete_numbers(), table_of(self.settings, known)
        drawn = draw_substitutions(elements, allowed, table, rng, least=least, at_first=4 * limit, urgent=urgent)
        for substitution in drawn:
            row = parents[substitution.parent]
            child = volumes.rescale(crystals[row], crystals[row].with_elements(dict(substitution.replacement)))
            label = relabel(labels[row], substitution.replacement)
            yield Proposal(child, label, substitution.probability, provenance_of(names[row], substitution))


def table_of(settings: SubstitutionParams, known: Known) -> np.ndarray:
    """Probability of each replacement that the settings choose, ``[new, old]``."""
    return probability_table(settings.probabilities, known.crystals, settings.max_parent_energy_above_hull)


def parents_among(known: Known, highest: float, most_elements: int) -> list[int]:
    """Rows of the compounds near the hull and within the limits.

    Args:
        known: What a generator starts from.
        highest: Largest energy above hull of a parent, eV/atom.
        most_elements: Maximum number of its elements.
    """
    chosen = known.crystals.with_row_index("row").filter(
        (pl.col("energy_above_hull") <= highest)
        & (pl.col("nsites") <= known.max_sites)
        & pl.col("chemsys").str.count_matches("-", literal=True).is_between(1, most_elements - 1)
    )
    return chosen["row"].to_list()


def relabel(decorated_prototype: str, replacement: Replacement) -> str:
    """The label of a crystal after its elements were replaced.

    The label names each element with its orbits, so replacing elements is a matter of text; no symmetry search is
    needed.
    """
    pearson, number, *entries = decorated_prototype.split("_")
    new = {SYMBOLS[old]: SYMBOLS[z] for old, z in replacement}
    return "_".join([pearson, number, *sorted(_rename(entry, new) for entry in entries)])


def _rename(entry: str, new: dict[str, str]) -> str:
    head, orbits = entry.split("=", 1)
    symbol = head.rstrip("0123456789")
    return f"{new.get(symbol, symbol)}{head[len(symbol) :]}={orbits}"


def provenance_of(parent: str, substitution: Substitution) -> dict[str, str | int | float]:
    """Where a child comes from, as its row keeps it."""
    pairs = ",".join(f"{SYMBOLS[old]}>{SYMBOLS[new]}" for old, new in substitution.replacement)
    return {"parent": parent, "substitution": pairs}
