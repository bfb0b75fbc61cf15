"""Similarity of ions by embeddings learned from the crystals that they occur in: SkipSpecies, data of smact.

Onwuli et al., Digital Discovery 3, 1558 (2024). smact takes the cosines as weights of Hautier's model; as they are,
they are at most 1, and all replacements would be nearly alike.
So they are scaled until the probabilities are as sharp.
"""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np
import polars as pl

from lodestone.config.registry import PROBABILITIES
from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.substitution.ions import likeliest_by_element
from lodestone.substitution.oxidation_states import smact_text

_FILE = "species_rep/skipspecies_20221028_319ion_dim200_cosine_similarity.json"
SCALE = 5.235  # of cosines: the conditional probabilities of ions then have the mean entropy of Hautier's, 5.018 nats


@PROBABILITIES.register("smact")
def smact(_known: pl.DataFrame) -> np.ndarray:
    """The table, whatever is known."""
    return smact_probabilities()


@lru_cache(maxsize=1)
def smact_probabilities() -> np.ndarray:
    """Conditional probability that the first element can replace the second, as Hautier's, from cosines floored at 0.

    Returns:
        Shape ``(N, N)``, indexed by atomic number; entry ``[new, old]``; 0 on the diagonal and for elements
        not in the table.

    Raises:
        LodestoneError: If smact is not installed as it should be.
    """
    symbols, cosines = similarities()
    return likeliest_by_element(symbols, SCALE * cosines)


def similarities() -> tuple[list[str], np.ndarray]:
    """Elements of the ions, and cosines between these, floored at 0."""
    rows = [row for row in json.loads(smact_text(_FILE)) if all(_symbol(ion) in ATOMIC_NUMBERS for ion in row[:2])]
    ions = sorted({ion for row in rows for ion in row[:2]})
    place = {ion: number for number, ion in enumerate(ions)}
    cosines = np.zeros((len(ions), len(ions)))
    for first, second, cosine in rows:
        cosines[place[first], place[second]] = cosines[place[second], place[first]] = max(float(cosine), 0.0)
    return [_symbol(ion) for ion in ions], cosines


def _symbol(ion: str) -> str:
    return ion.rstrip("+-0123456789")
