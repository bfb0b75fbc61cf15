"""How likely one element replaces another: the data-mined model of Hautier et al., Inorg. Chem. 50, 656 (2011)."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from lodestone.config.registry import PROBABILITIES
from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.substitution.ions import likeliest_by_element

if TYPE_CHECKING:
    import polars as pl
    from pymatgen.core import Species


@PROBABILITIES.register("hautier")
def hautier(_known: pl.DataFrame) -> np.ndarray:
    """The table, whatever is known."""
    return hautier_probabilities()


@lru_cache(maxsize=1)
def hautier_probabilities() -> np.ndarray:
    """Conditional probability that the first element can replace the second.

    Equation 5 of the paper over ion pairs, with the weights floored at 0 as in GNoME, so that pairs never seen
    stay possible; for two elements, the likeliest pair of their ions counts.

    Returns:
        Shape ``(N, N)``, indexed by atomic number; entry ``[new, old]``; 0 on the diagonal and for elements
        not in the table.
    """
    ions, weights = _weights()
    return likeliest_by_element([ion.symbol for ion in ions], weights)


def _weights() -> tuple[list[Species], np.ndarray]:
    """Ions, and the weights of their pairs, floored at 0, which those never seen have.

    The table is read without pymatgen's class, which takes seconds to normalize probabilities that are not needed here.
    """
    from pymatgen.analysis.structure_prediction.substitution_probability import SubstitutionProbability
    from pymatgen.core import Species

    packed = files(SubstitutionProbability.__module__.rpartition(".")[0]).joinpath("data").joinpath("lambda.json")
    rows = json.loads(packed.read_text(encoding="utf-8"))
    known = {name: Species.from_str(name) for row in rows for name in row[:2] if "D1+" not in row}
    ions = sorted({ion for ion in known.values() if ion.symbol in ATOMIC_NUMBERS}, key=str)
    order = {ion: place for place, ion in enumerate(ions)}
    places = {name: order[ion] for name, ion in known.items() if ion in order}
    weights = np.zeros((len(ions), len(ions)))
    for first, second, weight in rows:
        if first in places and second in places:
            pair = [places[first], places[second]]
            weights[pair, pair[::-1]] = max(float(weight), 0.0)
    return ions, weights
