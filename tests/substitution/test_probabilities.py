"""Against pymatgen's own implementation of Hautier's model, given weights floored at 0."""

import json
from importlib.resources import files

import numpy as np
import pytest

from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS
from lodestone.substitution.probabilities.hautier import hautier_probabilities


@pytest.fixture(scope="module")
def floored():
    from pymatgen.analysis.structure_prediction.substitution_probability import SubstitutionProbability

    folder = files(SubstitutionProbability.__module__.rpartition(".")[0]) / "data"
    rows = [row for row in json.loads((folder / "lambda.json").read_text()) if "D1+" not in row]
    return SubstitutionProbability(lambda_table=[[a, b, max(weight, 0.0)] for a, b, weight in rows], alpha=0)


@pytest.fixture
def table():
    return hautier_probabilities()


PAIRS = [pair.split() for pair in ("K Na", "Na K", "S O", "Fe Mn", "U Cl", "Ca Mg", "Br F")]


@pytest.mark.parametrize(("new", "old"), PAIRS)
def test_probabilities_are_conditional_on_what_is_replaced(new, old, floored, table):
    ions = {symbol: [ion for ion in floored.species if ion.symbol == symbol] for symbol in (new, old)}
    likeliest = max(floored.cond_prob(a, b) for a in ions[new] for b in ions[old])
    assert table[ATOMIC_NUMBERS[new], ATOMIC_NUMBERS[old]] == pytest.approx(likeliest, rel=1e-9)


def test_nothing_replaces_itself_and_everything_in_the_table_may_replace_all_else(table, floored):
    assert table.shape == (len(SYMBOLS), len(SYMBOLS))
    assert not np.diagonal(table).any()
    there = sorted({ATOMIC_NUMBERS[ion.symbol] for ion in floored.species})
    missing = sorted(set(range(len(SYMBOLS))) - set(there))
    inner = table[np.ix_(there, there)] + np.eye(len(there))
    assert (inner > 0).all()
    assert (inner <= 1).all()
    assert not table[missing].any()
    assert not table[:, missing].any()


def test_kin_are_likelier_than_strangers(table):
    def p(new, old):
        return table[ATOMIC_NUMBERS[new], ATOMIC_NUMBERS[old]]

    assert p("K", "Na") > p("Cl", "Na")
    assert p("Sr", "Ca") > p("Ti", "Ca")
    assert p("S", "Se") > p("Li", "Se")
    assert p("Na", "K") != p("K", "Na")  # conditional, so not symmetric
