"""A generator in one file: two elements of a known crystal change places, as in inverse spinels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl
from pydantic import Field

from lodestone.config.discovery import GeneratorParams
from lodestone.config.registry import GENERATORS
from lodestone.crystals.elements import SYMBOLS
from lodestone.crystals.encoding import decode
from lodestone.discovery.generators.base import Known, Proposal


class SwapParams(GeneratorParams):
    """Settings of the generator `swap`: the keys of its section in `params.yaml`."""

    max_parent_energy_above_hull: float = Field(0.1, ge=0, description="parents lie this near the hull, eV/atom")


@GENERATORS.register("swap", settings=SwapParams)
@dataclass(frozen=True)
class SwapGenerator:
    """Known crystals with two of their elements exchanged, in random order."""

    settings: SwapParams

    def propose(self, known: Known, rng: np.random.Generator, limit: int) -> Iterator[Proposal]:
        """One proposal for each pair of elements of each parent; those that are known are dropped afterwards."""
        parents = known.crystals.filter(
            pl.col("energy_above_hull") <= self.settings.max_parent_energy_above_hull,
            pl.col("nsites") <= known.max_sites,
        )
        names, crystals = parents["material_id"].to_list(), decode(parents)
        for row in rng.permutation(len(parents)).tolist():
            for one, other in combinations(np.unique(crystals[row].atomic_numbers).tolist(), 2):
                swapped = crystals[row].with_elements({one: other, other: one})
                yield Proposal.of(swapped, parent=names[row], swapped=f"{SYMBOLS[one]}-{SYMBOLS[other]}")
