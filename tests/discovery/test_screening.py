import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from lodestone.config.registry import ACQUISITIONS as ACQUIRED
from lodestone.config.rounds import RoundParams
from lodestone.crystals.compositions import atomic_fractions
from lodestone.crystals.symmetry import symmetry_of
from lodestone.discovery.choice import choose as choose_candidates
from lodestone.discovery.screening import candidate_id, screen
from lodestone.ensemble.calibration import Calibration
from lodestone.ensemble.predictor import Prediction
from lodestone.schemas import Candidates
from lodestone.stability.hull import ConvexHull
from lodestone.tables.files import validated

N = 200


@pytest.fixture(scope="module")
def hull(known):
    return ConvexHull(
        atomic_fractions(known["atomic_numbers"].to_list()), known["formation_energy_per_atom"].to_numpy()
    )


@pytest.fixture(scope="module")
def proposals(known, substitute):
    elements = frozenset(known.filter(~pl.col("chemsys").str.contains("-"))["chemsys"])
    return substitute(known, elements, np.random.default_rng(0), limit=80).items


@pytest.fixture
def predicted(proposals, hull):
    """Predictions whose distance to the hull is known: 0, 1, 2, … meV/atom, the second half below it."""
    fractions = atomic_fractions([proposal.crystal.atomic_numbers for _, proposal in proposals])
    distance = 1e-3 * np.arange(len(proposals)) * np.where(np.arange(len(proposals)) < 40, 1, -1)
    mean = hull.hull_energies(fractions) + distance
    std, out_of_distribution = np.full(len(mean), 0.02), ["", "pair"] * (len(mean) // 2)
    prediction = Prediction(
        mean=mean,
        std=std,
        views={"composition": mean - 0.1, "structure": mean + 0.1},
        spread=0.5 * std,
        weights={"composition": np.full(len(mean), 0.5), "structure": np.full(len(mean), 0.5)},
        out_of_distribution=out_of_distribution,
        calibration=Calibration.none(),
    )
    return prediction, distance


@pytest.fixture
def table(proposals, predicted, hull):
    return screen(proposals, predicted[0], hull, "round_7")


def test_screening_tells_the_distance_to_the_hull(table, predicted, tmp_path):
    prediction, distance = predicted
    validated(table, Candidates, tmp_path)
    assert table["energy_above_hull_pred"].to_numpy() == pytest.approx(distance, abs=1e-9)
    assert table["formation_energy_per_atom_pred"].to_numpy() == pytest.approx(prediction.mean)
    for view, mean in prediction.views.items():
        assert table[f"formation_energy_per_atom_pred_{view}"].to_numpy() == pytest.approx(mean)
    assert set(table["acquired_by"]) == {"none"}


def test_candidates_keep_name_origin_and_structure(table, proposals):
    for row, (_, proposal) in zip(table.iter_rows(named=True), proposals, strict=True):
        assert row["material_id"] == candidate_id("round_7", proposal.label)
        assert row["decorated_prototype"] == proposal.label
        assert (row["generator"], row["weight"]) == ("substitution", proposal.weight)
        assert json.loads(row["provenance"]) == proposal.provenance
        assert list(proposal.provenance) == ["parent", "substitution"]
        assert row["atomic_numbers"] == proposal.crystal.atomic_numbers.tolist()
        assert row["spacegroup_number"] == symmetry_of(proposal.crystal).spacegroup_number


def test_identifiers_follow_from_what_the_candidate_is():
    assert candidate_id("round_0", "cF8_225_Cl=4:m-3m_Na=4:m-3m").startswith("round_0-")
    names = {candidate_id(name, label) for name in ("round_0", "round_1") for label in ("a", "b")}
    assert len(names) == 4
    assert candidate_id("round_0", "a") == candidate_id("round_0", "a")


def test_stability_probability_is_that_of_lying_on_or_below_the_hull(table, predicted, proposals, hull):
    prediction, distance = predicted
    probabilities = table["stability_probability"].to_numpy()
    assert probabilities == pytest.approx(norm.cdf(-distance / 0.02), abs=3e-3)  # uncalibrated errors are normal
    cal = prediction.calibration
    higher = replace(prediction, calibration=replace(cal, errors=tuple(error + 2 for error in cal.errors)))
    again = screen(proposals, higher, hull, "round_7")["stability_probability"]
    assert again.to_numpy() == pytest.approx(norm.cdf(-distance / 0.02 - 2), abs=3e-3)  # labels were found higher


def test_incomplete_probability_is_that_of_lying_deeper_than_the_limit(table, predicted, proposals, hull):
    prediction, distance = predicted
    assert (table["incomplete_probability"] == 0).all()  # without a limit
    limited = screen(proposals, prediction, hull, "round_7", max_depth=0.03)["incomplete_probability"]
    assert limited.to_numpy() == pytest.approx(norm.cdf((-0.03 - distance) / 0.02), abs=3e-3)


def test_what_is_predicted_is_told_with_its_error(table, predicted):
    prediction = predicted[0]
    for end, sign in (("lower", -1), ("upper", 1)):
        half = table[f"formation_energy_per_atom_{end}"] - table["formation_energy_per_atom_pred"]
        assert half.to_numpy() == pytest.approx(sign * 1.6449 * prediction.std, abs=1e-5)
    assert table["out_of_distribution"].to_list() == prediction.out_of_distribution
    assert table["formation_energy_per_atom_std"].to_numpy() == pytest.approx(prediction.std)
    assert table["formation_energy_per_atom_epistemic_std"].to_numpy() == pytest.approx(prediction.spread)


@pytest.fixture
def candidates():
    """Ten chemical systems of twenty candidates each; a quarter is predicted within the threshold."""
    generator = np.random.default_rng(9)
    distance = generator.uniform(-0.05, 0.35, N)
    return pl.DataFrame(
        {
            "material_id": [f"c-{number:03d}" for number in generator.permutation(N)],
            "chemsys": [f"A{number % 10}-B" for number in range(N)],
            "generator": ["common" if number // 10 % 10 else "rare" for number in range(N)],
            "energy_above_hull_pred": distance,
            "formation_energy_per_atom_std": np.random.default_rng(4).uniform(0.01, 0.3, N),
            "stability_probability": norm.cdf(-distance / generator.uniform(0.01, 0.3, N)),
            "incomplete_probability": norm.cdf((-0.03 - distance) / 0.02),
            "acquired_by": ["none"] * N,
        }
    )


def test_the_likeliest_hit_is_neither_above_the_hull_nor_too_deep_below_it(choose, candidates):
    result = choose(acquisition="hit_probability", max_per_chemsys=100, baseline=0)
    hit = pl.col("stability_probability") - pl.col("incomplete_probability")
    within = candidates.filter(pl.col("energy_above_hull_pred") <= 0.05)
    assert set(chosen(result, "model")["material_id"]) == set(within.sort(hit).tail(12)["material_id"])
    stable = choose(acquisition="stability_probability", max_per_chemsys=100, baseline=0)
    depths = [chosen(one, "model")["energy_above_hull_pred"].mean() for one in (result, stable)]
    assert depths[0] > depths[1]


@pytest.fixture
def choose(candidates, discovery):
    def _choose(table=candidates, seed=0, budget=12, baseline=8, judged=frozenset(), **changes):
        settings = {"max_per_chemsys": 3, "max_generator_share": 1.0, "threshold": 0.05} | changes
        round_params = RoundParams(next="round_1", budget=budget, random_baseline=baseline)
        return choose_candidates(
            table, discovery.model_copy(update=settings), round_params, np.random.default_rng(seed), judged=judged
        )

    return _choose


def chosen(table, how):
    return table.filter(pl.col("acquired_by") == how)


ACQUISITIONS = pytest.mark.parametrize("acquisition", ["stability_probability", "lowest_energy", "random"])


@ACQUISITIONS
def test_budgets_are_spent_and_the_choices_share_nothing(choose, candidates, acquisition):
    result = choose(acquisition=acquisition)
    assert result.drop("acquired_by").equals(candidates.drop("acquired_by"))  # none lost, none moved
    assert dict(result["acquired_by"].value_counts().iter_rows()) == {"model": 12, "random": 8, "none": N - 20}


@ACQUISITIONS
def test_no_chemical_system_takes_more_than_its_share(choose, acquisition):
    result = chosen(choose(acquisition=acquisition, budget=100, threshold=10.0), "model")
    assert result["chemsys"].value_counts()["count"].to_list() == [3] * 10


def test_the_baseline_obeys_the_same_limit_per_chemical_system(choose):
    result = chosen(choose(budget=1, baseline=100, max_per_chemsys=2), "random")
    assert result["chemsys"].value_counts()["count"].to_list() == [2] * 10


@pytest.mark.parametrize(
    ("how", "sizes"), [("model", {"budget": 30, "baseline": 0}), ("random", {"budget": 1, "baseline": 30})]
)
@pytest.mark.parametrize(("share", "most"), [(0.6, 18), (0.75, 23)])
def test_no_generator_takes_more_than_its_share_while_others_have_candidates(choose, how, sizes, share, most):
    sizes = sizes | {"max_per_chemsys": 100, "threshold": 10.0}
    shared, free = (chosen(choose(max_generator_share=part, **sizes), how)["generator"] for part in (share, 1.0))
    assert dict(shared.value_counts().iter_rows()) == {"common": most, "rare": 30 - most}
    assert (free == "common").sum() > most


def test_the_baseline_leaves_out_what_networks_have_proposed(choose):
    limits = {"budget": 30, "baseline": 30, "max_per_chemsys": 100, "threshold": 10.0}
    result = choose(judged={"common"}, **limits)
    assert dict(chosen(result, "random")["generator"].value_counts().iter_rows()) == {"rare": 20}
    assert (chosen(result, "model")["generator"] == "common").all()  # no other is left
    assert choose(judged={"common", "rare"}, **limits).equals(choose(**limits))


def test_a_share_gives_way_where_the_others_have_no_more(choose, candidates):
    limits = {"budget": 100, "baseline": 0, "max_per_chemsys": 100, "threshold": 10.0}
    result = chosen(choose(max_generator_share=0.5, **limits), "model")
    assert dict(result["generator"].value_counts().iter_rows()) == {"common": 80, "rare": 20}


@pytest.mark.parametrize("acquisition", ["stability_probability", "lowest_energy"])
def test_only_candidates_within_the_threshold_are_chosen_by_the_model(choose, candidates, acquisition):
    result = choose(acquisition=acquisition, budget=150, max_per_chemsys=100, baseline=0, threshold=0.02)
    within = candidates.filter(pl.col("energy_above_hull_pred") <= 0.02)
    assert 0 < len(within) < 150
    assert set(chosen(result, "model")["material_id"]) == set(within["material_id"])


@pytest.mark.parametrize(
    ("acquisition", "column", "descending"),
    [("stability_probability", "stability_probability", True), ("lowest_energy", "energy_above_hull_pred", False)],
)
def test_the_model_takes_the_top_of_its_ranking(choose, candidates, acquisition, column, descending):
    result = choose(acquisition=acquisition, max_per_chemsys=100, baseline=0)
    within = candidates.filter(pl.col("energy_above_hull_pred") <= 0.05)
    best = within.sort(column, descending=descending).head(12)
    assert set(chosen(result, "model")["material_id"]) == set(best["material_id"])
    other = {"lowest_energy", "stability_probability"} - {acquisition}
    assert not result.equals(choose(acquisition=other.pop(), max_per_chemsys=100, baseline=0))


def test_expected_improvement_is_the_expected_depth_below_the_hull(candidates):
    ranked = ACQUIRED.make("expected_improvement", candidates, 0.05)
    within = candidates.filter(pl.col("energy_above_hull_pred") <= 0.05)
    assert set(ranked["material_id"]) == set(within["material_id"])
    assert ranked.columns == candidates.columns
    noise = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    columns = ranked.select("energy_above_hull_pred", "formation_energy_per_atom_std").iter_rows()
    gains = [np.maximum(0, -(mean + std * noise)).mean() for mean, std in columns]
    assert np.diff(gains).max() < 1e-6
    assert gains[0] > gains[-1]
    certain = candidates.with_columns(formation_energy_per_atom_std=0.0)
    lowest = ACQUIRED.make("lowest_energy", certain, 0.0)
    assert ACQUIRED.make("expected_improvement", certain, 0.0).equals(lowest)


def test_an_upper_confidence_bound_is_the_energy_less_one_error(candidates):
    ranked = ACQUIRED.make("upper_confidence", candidates, 0.05)
    assert (ranked["energy_above_hull_pred"] - ranked["formation_energy_per_atom_std"]).is_sorted()
    assert ranked["energy_above_hull_pred"].max() <= 0.05
    assert not ranked["energy_above_hull_pred"].is_sorted()


def test_the_random_acquisition_knows_no_threshold(choose):
    result = chosen(choose(acquisition="random", budget=100, max_per_chemsys=100), "model")
    assert result["energy_above_hull_pred"].max() > 0.2


def test_the_baseline_is_drawn_from_all_candidates_whatever_the_model_thinks(choose):
    draws = [chosen(choose(seed=seed), "random") for seed in range(20)]
    distances = np.concatenate([draw["energy_above_hull_pred"].to_numpy() for draw in draws])
    assert np.mean(distances <= 0.05) == pytest.approx(0.25, abs=0.12)
    one, other = (chosen(choose(seed=3, acquisition=how), "random") for how in ("random", "lowest_energy"))
    assert one.equals(other)


def test_the_choice_depends_on_the_generator_and_not_on_the_order_of_rows(choose, candidates):
    first, other = choose(seed=1), choose(seed=2)
    shuffled = choose(candidates.sample(fraction=1.0, shuffle=True, seed=5), seed=1)
    assert first.sort("material_id").equals(shuffled.sort("material_id"))
    assert not first.equals(other)


@pytest.mark.parametrize("few", [1, 5])
def test_fewer_candidates_than_the_budget_are_all_used(choose, candidates, few):
    result = choose(candidates.head(few), budget=40, baseline=0, threshold=10.0)
    assert set(result["acquired_by"]) == {"model"}
