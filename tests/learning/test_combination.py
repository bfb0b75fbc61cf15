import numpy as np
import polars as pl
import pytest

from pipeline.learning.combine import combine_views
from pipeline.learning.ensemble import Combination
from pipeline.schemas import Predictions
from pipeline.tables import validated


@pytest.fixture
def draws():
    generator = np.random.default_rng(3)
    true = generator.normal(0, 1, 200)
    return true, true + generator.normal(0, 0.02, (4, 200)), true[::-1] + generator.normal(0, 1.0, (4, 200))


def test_the_view_that_is_right_gets_all_the_weight(draws):
    true, right, wrong = draws
    assert Combination.fit(composition=wrong, structure=right, true=true).weight_structure == 1.0
    assert Combination.fit(composition=right, structure=wrong, true=true).weight_structure == 0.0


def test_views_with_opposite_errors_share_the_weight():
    true = np.linspace(-1, 1, 50)
    high, low = (np.tile(true + shift, (2, 1)) for shift in (0.3, -0.1))
    found = Combination.fit(composition=high, structure=low, true=true)
    assert found.weight_structure == pytest.approx(0.75)
    assert found.combine(high, low).mean == pytest.approx(true)


def test_errors_over_spread_have_unit_variance_after_scaling(draws):
    true, right, wrong = draws
    combination = Combination.fit(wrong, right + np.random.default_rng(0).normal(0, 0.3, 200), true)
    found = combination.combine(wrong, right + np.random.default_rng(0).normal(0, 0.3, 200))
    assert np.mean(((found.mean - true) / found.std) ** 2) == pytest.approx(1.0)
    assert combination.std_scale > 1  # the members share an error that their spread does not show


def test_spread_is_that_of_the_weighted_average(draws):
    _, right, wrong = draws
    found = Combination(weight_structure=1.0, std_scale=2.0).combine(wrong, right)
    assert found.std == pytest.approx(2 * right.std(axis=0, ddof=1))
    assert found.mean == pytest.approx(right.mean(axis=0))
    assert found.composition == pytest.approx(wrong.mean(axis=0))


def member_rows(crystals, view, error):
    generator = np.random.default_rng(len(view))
    shift = [generator.normal(0, error, len(crystals)) for _ in range(3)]
    return pl.concat(
        crystals.select(
            "material_id",
            pl.lit(view).alias("view"),
            pl.lit(member, dtype=pl.Int32).alias("member"),
            "split",
            (pl.col("formation_energy_per_atom") + pl.Series(shift[member])).alias("formation_energy_per_atom_pred"),
        )
        for member in range(3)
    )


def test_views_are_joined_by_name_not_by_order(known):
    unseen = known.filter(pl.col("split").is_in(["validation", "test"]))
    tables = member_rows(unseen, "composition", 0.3), member_rows(unseen, "structure", 0.05)
    combination, table, metrics = combine_views(*tables, known)
    shuffled = [part.sample(fraction=1.0, shuffle=True, seed=seed) for seed, part in enumerate((*tables, known))]
    again = combine_views(*shuffled)
    assert combination == again[0]
    assert table.sort("material_id").equals(again[1].sort("material_id"))
    assert metrics == again[2]


def test_the_table_holds_its_contract_and_the_metrics_follow_from_it(known, tmp_path):
    unseen = known.filter(pl.col("split").is_in(["validation", "test"]))
    combination, table, metrics = combine_views(
        member_rows(unseen, "composition", 0.3), member_rows(unseen, "structure", 0.05), known
    )
    validated(table, Predictions, tmp_path)
    assert sorted(table["material_id"]) == sorted(unseen["material_id"])
    assert combination.weight_structure > 0.8
    test = table.filter(pl.col("split") == "test")
    for view, column in (("ensemble", "pred"), ("structure", "pred_structure"), ("composition", "pred_composition")):
        difference = test[f"formation_energy_per_atom_{column}"] - test["formation_energy_per_atom"]
        assert metrics["test"][view]["mae"] == pytest.approx(difference.abs().mean())
        assert metrics["test"][view]["n"] == len(test)
    assert metrics["n_train"] == len(known.filter(pl.col("split") == "train"))


def test_the_weight_is_fitted_on_the_validation_crystals_alone(known):
    """Labels of the test crystals may be anything: the combination must not notice."""
    unseen = known.filter(pl.col("split").is_in(["validation", "test"]))
    tables = member_rows(unseen, "composition", 0.3), member_rows(unseen, "structure", 0.05)
    label = pl.when(pl.col("split") == "test").then(9.0).otherwise(pl.col("formation_energy_per_atom"))
    spoilt = known.with_columns(label.alias("formation_energy_per_atom"))
    assert combine_views(*tables, known)[0] == combine_views(*tables, spoilt)[0]
