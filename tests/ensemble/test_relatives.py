"""What relatives tell of a candidate, and how it is averaged with what networks say."""

import numpy as np
import polars as pl
import pytest

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import describe
from lodestone.ensemble.calibration import Calibration
from lodestone.ensemble.predictor import Prediction
from lodestone.ensemble.relatives import Relatives, fitted_share, with_relatives

ENERGY = "formation_energy_per_atom"
HALIDES = {"NaCl": -2.0, "KCl": -2.1, "RbCl": -2.2, "NaBr": -1.7, "MgO": -3.0, "CaO": -3.3}
NUMBERS = {"Na": 11, "K": 19, "Rb": 37, "Cl": 17, "Br": 35, "Mg": 12, "Ca": 20, "O": 8, "Ba": 56, "Te": 52, "Cs": 55}


def rock_salts(*formulas):
    found = []
    for formula in formulas:
        split = next(i for i in range(1, len(formula)) if formula[i].isupper())
        pair = [NUMBERS[formula[:split]], NUMBERS[formula[split:]]]
        lattice = 2.8 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
        found.append(Crystal(lattice, pair, [[0, 0, 0], [0.5, 0.5, 0.5]]))
    return describe(found)


@pytest.fixture(scope="module")
def known():
    return rock_salts(*HALIDES).with_columns(pl.Series(ENERGY, list(HALIDES.values())))


@pytest.fixture(scope="module")
def relatives(known):
    return Relatives.of(known)


def test_distances_are_those_to_the_hull_of_the_other_compositions(relatives, known):
    assert relatives.distances == pytest.approx(known[ENERGY].to_numpy())  # nothing competes but the elements


def test_a_candidate_lies_from_the_hull_as_its_most_alike_relatives_do(relatives):
    chloride, oxide = relatives.energies(rock_salts("CsCl", "BaO"))
    assert -2.2 <= chloride <= -1.95
    assert -3.3 <= oxide <= -2.9


def test_no_formula_is_a_relative_of_itself(known):
    """The label of a crystal changes nothing of what its relatives tell of it."""
    changed = known.with_columns(pl.when(pl.col("formula_pretty") == "KCl").then(9.0).otherwise(ENERGY).alias(ENERGY))
    asked = rock_salts("KCl")
    assert Relatives.of(changed).energies(asked)[0] == Relatives.of(known).energies(asked)[0]
    assert -2.2 <= Relatives.of(known).energies(asked)[0] <= -1.7


def test_without_a_relative_nothing_is_told(known):
    asked = rock_salts("NaCl", "CsCl")
    assert np.isnan(Relatives.of(known.filter(pl.col("formula_pretty") == "NaCl")).energies(asked)).tolist() == [
        True,
        False,
    ]
    other = asked.with_columns(prototype=pl.lit("another"))
    assert np.isnan(Relatives.of(known).energies(other)).all()


def test_crystals_revealed_later_are_relatives_and_move_no_hull(relatives):
    told = rock_salts("RbBr").with_columns(pl.Series(ENERGY, [-1.0]))
    later = relatives.including(told)
    assert later.hull is relatives.hull
    asked = rock_salts("KBr")
    assert later.energies(asked)[0] > relatives.energies(asked)[0]


def prediction_of(mean, spread=0.05):
    n = len(mean)
    return Prediction(
        mean=np.asarray(mean, dtype=float),
        std=np.full(n, spread),
        views={"structure": np.asarray(mean)},
        spread=np.full(n, spread),
        weights={"structure": np.ones(n)},
        out_of_distribution=[""] * n,
        calibration=Calibration.none(),
    )


@pytest.fixture(scope="module")
def validated():
    """Labels, and predictions of networks and of relatives that err alike but apart."""
    generator = np.random.default_rng(0)
    true = generator.normal(0, 1, 400)
    return true, true + generator.normal(0, 0.1, 400), true + generator.normal(0, 0.1, 400)


def test_the_share_is_that_of_the_least_error(validated):
    true, networks, relatives = validated
    assert fitted_share(networks, relatives, true) == pytest.approx(0.5, abs=0.1)
    assert fitted_share(networks, true, true) == 1
    assert fitted_share(true, relatives, true) == 0
    assert fitted_share(networks, np.full(400, np.nan), true) == 0


@pytest.mark.parametrize("calibrated", [True, False])
def test_averaged_predictions_err_less_and_know_it(validated, calibrated):
    true, networks, relatives = validated
    first, last = slice(0, 200), slice(200, 400)
    found = with_relatives(
        prediction_of(networks[last]),
        relatives[last],
        validation=prediction_of(networks[first]),
        validation_estimated=relatives[first],
        true=true[first],
        groups=[str(row) for row in range(200)],
        calibrated=calibrated,
    )
    assert np.abs(found.mean - true[last]).mean() < 0.8 * np.abs(networks[last] - true[last]).mean()
    assert (found.calibration.n == 200) == calibrated
    inside = np.mean((found.lower <= true[last]) & (true[last] <= found.upper))
    assert not calibrated or 0.83 <= inside <= 0.97
    assert np.all(found.spread >= 0.05)


def test_a_candidate_without_relatives_keeps_what_the_networks_say(validated):
    true, networks, relatives = validated
    estimated = relatives[:10].copy()
    estimated[3] = np.nan
    found = with_relatives(
        prediction_of(networks[:10]),
        estimated,
        validation=prediction_of(networks),
        validation_estimated=relatives,
        true=true,
        groups=[str(row) for row in range(400)],
    )
    assert found.mean[3] == networks[3]
    assert np.isfinite(found.std).all()
    assert (np.delete(found.mean, 3) != np.delete(networks[:10], 3)).all()
