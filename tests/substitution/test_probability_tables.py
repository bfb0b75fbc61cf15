"""The tables of substitution probabilities, and the setting that chooses one."""

from collections.abc import Sequence
from itertools import product
from math import log

import numpy as np
import polars as pl
import pytest

from finished_campaign import ROOT
from lodestone.config.load import parse_params, read_content
from lodestone.config.registry import PROBABILITIES
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS
from lodestone.crystals.encoding import describe
from lodestone.discovery.generators.base import Known
from lodestone.discovery.generators.substitution import SubstitutionGenerator, SubstitutionParams
from lodestone.errors import LodestoneError
from lodestone.substitution.probabilities.hautier import _weights, hautier_probabilities
from lodestone.substitution.probabilities.smact import SCALE, similarities
from lodestone.substitution.table import probability_table

FCC = 0.5 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
PAIRS = list(product(["Na", "K", "Rb"], ["Cl", "Br"]))  # all but RbBr are known


def rock_salts(pairs: Sequence[tuple[str, str]], above: float = 0.0, split: str = "train") -> pl.DataFrame:
    crystals = [
        Crystal(6 * FCC, [ATOMIC_NUMBERS[cation], ATOMIC_NUMBERS[anion]], [[0, 0, 0], [0.5] * 3])
        for cation, anion in pairs
    ]
    names = pl.Series("material_id", ["".join(pair) for pair in pairs])
    return describe(crystals).with_columns(names).with_columns(energy_above_hull=pl.lit(above), split=pl.lit(split))


def p(table, new, old):
    return table[ATOMIC_NUMBERS[new], ATOMIC_NUMBERS[old]]


@pytest.fixture(scope="module")
def salts():
    return rock_salts(PAIRS[:-1])


@pytest.mark.parametrize("name", PROBABILITIES.names())
def test_a_table_holds_probabilities_and_nothing_replaces_itself(name, salts):
    table = probability_table(name, salts, 0.1)
    assert table.shape == (len(SYMBOLS), len(SYMBOLS))
    assert ((table >= 0) & (table <= 1)).all()
    assert not np.diagonal(table).any()
    assert p(table, "K", "Na") > 0
    assert np.array_equal(table, probability_table(name, salts, 0.1))


@pytest.mark.parametrize("name", ["hautier", "smact"])
def test_kin_are_likelier_than_strangers(name, salts):
    table = probability_table(name, salts, 0.1)
    assert p(table, "K", "Na") > p(table, "Cl", "Na")
    assert p(table, "Sr", "Ca") > p(table, "Ti", "Ca")


def test_similarities_are_as_sharp_as_the_mined_probabilities():
    """The scale is that with which conditional distributions of ions have the same mean entropy."""
    _, cosines = similarities()
    assert cosines.min() == 0
    assert np.array_equal(cosines, cosines.T)
    entropies = [_mean_entropy(weights) for weights in (SCALE * cosines, _weights()[1])]
    assert entropies[0] == pytest.approx(entropies[1], abs=2e-3)


def _mean_entropy(weights):
    conditional = np.exp(weights) / np.exp(weights).sum(axis=0)
    return float(-(conditional * np.log(conditional)).sum(axis=0).mean())


def test_what_stands_for_each_other_in_known_crystals_is_learned_by_hand(salts):
    """Beside Cl stand Na, K, Rb, beside Br only Na and K; beside Na and K stand Cl and Br, beside Rb only Cl."""
    table = probability_table("snapshot", salts, 0.1)
    seen = {("Na", "K"): 2, ("Na", "Rb"): 1, ("K", "Rb"): 1, ("Cl", "Br"): 2}
    of = {e: sum(n for pair, n in seen.items() if e in pair) for e in ("Na", "K", "Rb", "Cl", "Br")}
    total = sum(of.values())
    weight = {pair: max(log(n * total / (of[pair[0]] * of[pair[1]])), 0.0) for pair, n in seen.items()}
    joint = {a: {b: np.exp(weight.get((a, b), weight.get((b, a), 0.0))) for b in of if b != a} for a in of}
    for old in of:
        for new in joint[old]:
            assert p(table, new, old) == pytest.approx(joint[old][new] / sum(joint[old].values()))
    assert p(table, "K", "Na") > p(table, "Cl", "Na") > 0
    known = [ATOMIC_NUMBERS[element] for element in of]
    assert table[:, known].sum(axis=0) == pytest.approx(np.ones(5))
    assert table.sum() == pytest.approx(5)


def test_neither_test_crystals_nor_those_far_above_the_hull_teach(salts):
    more = [rock_salts([("Cs", "Cl")], split="test"), rock_salts([("Li", "Cl")], above=0.2)]
    learned = probability_table("snapshot", pl.concat([salts, *more]), 0.1)
    assert np.array_equal(learned, probability_table("snapshot", salts, 0.1))


def test_nothing_known_teaches_nothing(salts):
    assert not probability_table("snapshot", salts.head(0), 0.1).any()


def test_a_generator_draws_by_the_table_of_its_settings(salts):
    known = Known(salts, frozenset(["Na", "K", "Rb", "Cl", "Br"]), 4, 2)
    made = {}
    for name in ("hautier", "snapshot"):
        settings = SubstitutionParams(name="substitution", probabilities=name, min_substitution_probability=0.0)
        proposals = SubstitutionGenerator(settings).propose(known, np.random.default_rng(0), 50)
        made[name] = {(one.label, one.provenance["substitution"]): one.weight for one in proposals}
    assert made["hautier"].keys() == made["snapshot"].keys()
    for name, table in (("hautier", hautier_probabilities()), ("snapshot", probability_table("snapshot", salts, 0.1))):
        single = {key: value for key, value in made[name].items() if "," not in key[1]}
        assert single
        for (_, told), value in single.items():
            old, new = told.split(">")
            assert value == pytest.approx(p(table, new, old))


def test_the_default_is_the_mined_table_and_others_are_told():
    assert SubstitutionParams(name="substitution").probabilities == "hautier"
    content = read_content(ROOT / "params.yaml")
    content["discovery"]["generators"][0]["probabilities"] = "hautir"
    with pytest.raises(LodestoneError, match=r"hautir.*hautier, smact, snapshot"):
        parse_params(content, "params.yaml")
