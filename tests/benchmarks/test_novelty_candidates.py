"""The candidates that the novelty of a million is measured on."""

import numpy as np
import polars as pl
import pytest

from lodestone.crystals.encoding import decode, describe
from lodestone.novelty.classes import KNOWN, Known
from novelty import COLUMNS, CRYSTAL, children, known_crystals, moved


@pytest.fixture(scope="module")
def base(known):
    return known.filter(pl.col("chemsys").str.contains("-"))


def test_children_have_the_labels_and_formulas_that_symmetry_gives(base):
    made = children(base, 40, np.random.default_rng(0))
    found = describe(decode(made))
    assert made["decorated_prototype"].to_list() == found["decorated_prototype"].to_list()
    assert made.select("formula_pretty", "prototype").equals(found.select("formula_pretty", "prototype"))
    assert not set(made["decorated_prototype"]) <= set(base["decorated_prototype"])
    assert made.equals(children(base, 40, np.random.default_rng(0)))


def test_known_crystals_are_those_of_the_set_and_then_children_with_labels_of_their_own(base):
    crystals = known_crystals(base, 2 * len(base), np.random.default_rng(1))
    assert len(crystals) == 2 * len(base)
    assert crystals["decorated_prototype"].is_unique().all()
    assert crystals["decorated_prototype"][: len(base)].equals(base["decorated_prototype"])


def test_moved_crystals_are_known_although_most_labels_changed(base):
    crystals = known_crystals(base, len(base), np.random.default_rng(2))
    shaken = moved(crystals, 20, np.random.default_rng(3))
    assert shaken["decorated_prototype"].is_in(crystals["decorated_prototype"].implode()).mean() < 0.5
    answers = Known.of([crystals]).novelty(shaken.select(COLUMNS + CRYSTAL))
    assert (answers["novelty"] == KNOWN).mean() >= 0.9
