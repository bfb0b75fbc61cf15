"""Chance promotes nobody: simulated pairs of equal, better and worse models, and each criterion by itself."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from lodestone.config.promotion import PromotionParams
from lodestone.promotion.frozen_test import common_test
from lodestone.promotion.judgment import INCOMPARABLE, PROMOTED, REFUSED, judge

N_PAIRS = 1000
PARAMS = PromotionParams()


@dataclass(frozen=True)
class World:
    """Errors as on the default campaign: heavy tails, shared by a system and by both models; eV/atom."""

    n_systems: int = 200
    per_system: float = 1.7
    mae: float = 0.075
    shared: float = 0.6  # of the variance of an error, with the other model

    def pair(self, rng: np.random.Generator, ratio: float = 1.0) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Predictions of a candidate and a champion; the candidate's errors are ``ratio`` times as large."""
        sizes = 1 + rng.poisson(self.per_system - 1, self.n_systems)
        system = np.repeat(np.arange(self.n_systems), sizes)
        crystals = [(system, rng.random(len(system)) < share) for share in (1.0, 0.7)]
        shared = self._errors(rng, system)
        own = [self._errors(rng, system) for _ in range(2)]
        mix = [np.sqrt(self.shared) * shared + np.sqrt(1 - self.shared) * one for one in own]
        depth = rng.normal(0.05, 0.15, len(system))  # true energy above hull
        return tuple(
            pl.concat(
                self._table(system[rows], (error * size)[rows], depth[rows], name)
                for name, (_, rows) in zip(("relaxed", "unrelaxed"), crystals, strict=True)
            )
            for error, size in zip(mix, (ratio, 1.0), strict=True)
        )

    def _errors(self, rng, system):
        of_system = rng.laplace(size=self.n_systems)[system]
        return self.mae * (np.sqrt(0.3) * of_system + np.sqrt(0.7) * rng.standard_t(4, len(system)) / np.sqrt(2))

    def _table(self, system, error, depth, name):
        width = 2.3 * np.abs(error).mean()
        return pl.DataFrame(
            {
                "material_id": [f"m-{number}" for number in range(len(system))],
                "chemsys": [f"s-{number}" for number in system],
                "input_structure": name,
                "formation_energy_per_atom": depth,
                "hull_energy_per_atom": 0.0,
                "formation_energy_per_atom_pred": depth + error,
                "formation_energy_per_atom_lower": depth + error - width,
                "formation_energy_per_atom_upper": depth + error + width,
            }
        )


def promoted_of(ratio: float, n_pairs: int, world: World = World()) -> int:
    rng = np.random.default_rng(7)
    outcomes = []
    for number in range(n_pairs):
        common = common_test(*world.pair(rng, ratio))
        outcomes.append(judge(common, PARAMS, seed=number).outcome)
    assert set(outcomes) <= {PROMOTED, REFUSED}
    return outcomes.count(PROMOTED)


@pytest.mark.slow
def test_of_equal_models_at_most_one_in_twenty_is_promoted():
    assert promoted_of(1.0, N_PAIRS) <= 0.05 * N_PAIRS


@pytest.mark.slow
def test_of_clearly_better_models_nine_in_ten_are_promoted():
    assert promoted_of(0.8, N_PAIRS) >= 0.9 * N_PAIRS


@pytest.mark.slow
def test_a_worse_model_is_never_promoted():
    assert promoted_of(1.1, N_PAIRS) == 0


@pytest.mark.slow
def test_few_systems_promote_no_more_equal_models():
    assert promoted_of(1.0, 300, World(n_systems=PARAMS.min_systems)) <= 0.05 * 300


@pytest.fixture(scope="module")
def pair() -> tuple[pl.DataFrame, pl.DataFrame]:
    """A clearly better candidate, and the champion."""
    return World().pair(np.random.default_rng(3), ratio=0.7)


def judged(candidate: pl.DataFrame, champion: pl.DataFrame, params: PromotionParams = PARAMS):
    return judge(common_test(candidate, champion), params)


def failed(judgment) -> list[str]:
    return [criterion.name for criterion in judgment.criteria if not criterion.holds]


def test_a_better_candidate_holds_all_criteria_and_says_so(pair):
    judgment = judged(*pair)
    assert (judgment.outcome, judgment.promotes, failed(judgment)) == (PROMOTED, True, [])
    assert [one.name for one in judgment.criteria] == ["error", "error_unrelaxed", "f1", "coverage"]
    error = judgment.criteria[0].figures
    assert error["gain"]["low"] < error["gain"]["estimate"] < error["gain"]["high"]
    assert error["gain"]["estimate"] == pytest.approx(error["champion"] - error["candidate"])
    assert f"{error['candidate']:.4f}" in judgment.reasons[0]


def test_the_same_model_is_not_better_than_itself(pair):
    judgment = judged(pair[1], pair[1])
    assert (judgment.outcome, failed(judgment)) == (REFUSED, ["error"])
    assert "not better beyond noise" in judgment.reasons[0]


def test_the_figures_do_not_depend_on_the_order_of_rows(pair):
    candidate, champion = pair
    assert judged(candidate.reverse(), champion.sample(fraction=1, shuffle=True, seed=1)) == judged(*pair)


def test_a_better_candidate_is_refused_for_its_error_on_unrelaxed_structures(pair):
    candidate, champion = pair
    worse = pl.when(pl.col("input_structure") == "unrelaxed").then(pl.col("formation_energy_per_atom_pred") + 0.5)
    candidate = candidate.with_columns(
        worse.otherwise("formation_energy_per_atom_pred").alias("formation_energy_per_atom_pred")
    )
    assert failed(judged(candidate, champion)) == ["error_unrelaxed"]


def test_a_better_candidate_is_refused_for_its_f1(pair):
    """Just on the wrong side of the hull: small errors, and nothing stable is recognized."""
    near = pl.col("formation_energy_per_atom_pred").clip(lower_bound=1e-3)
    shallow = [
        table.with_columns(formation_energy_per_atom=pl.col("formation_energy_per_atom").clip(-0.02)) for table in pair
    ]
    candidate = shallow[0].with_columns(formation_energy_per_atom_pred=near)
    assert "f1" in failed(judged(candidate, shallow[1]))
    assert "error" not in failed(judged(candidate, shallow[1]))


@pytest.mark.parametrize("factor", [0.2, 5.0])
def test_a_better_candidate_is_refused_for_its_intervals(pair, factor):
    candidate, champion = pair
    mean = pl.col("formation_energy_per_atom_pred")
    ends = [pl.col(f"formation_energy_per_atom_{end}") for end in ("lower", "upper")]
    candidate = candidate.with_columns(*((mean + (end - mean) * factor).alias(end.meta.output_name()) for end in ends))
    judgment = judged(candidate, champion)
    assert failed(judgment) == ["coverage"]
    assert "outside 85% to 95%" in judgment.reasons[0]


def test_other_labels_are_not_compared(pair):
    candidate, champion = pair
    moved = champion.with_columns(pl.col("formation_energy_per_atom") + 0.01)
    judgment = judged(candidate, moved)
    assert (judgment.outcome, judgment.promotes) == (INCOMPARABLE, False)
    assert f"({len(champion)} test structures have other labels" in judgment.reasons[0]


def test_crystals_that_one_of_them_has_not_predicted_are_left_out(pair):
    candidate, champion = pair
    fewer = champion.filter(pl.col("chemsys") < "s-5")
    judgment = judged(candidate, fewer)
    assert judgment.test_set["n"] == len(fewer)
    assert judgment.test_set["n_candidate"] == len(candidate)
    assert judged(candidate, fewer.filter(pl.col("chemsys") < "s-11")).outcome == INCOMPARABLE


def test_stricter_thresholds_refuse(pair):
    assert failed(judged(*pair, PARAMS.model_copy(update={"min_gain": 0.05}))) == ["error"]


def test_a_judgment_is_plain_values(pair):
    content = judged(*pair).as_dict()
    assert content["outcome"] == "promoted"
    assert len(content["reasons"]) == len(content["criteria"]) == 4
