import json

import numpy as np
import polars as pl
import pytest

from lodestone.config.registry import AGGREGATIONS
from lodestone.ensemble.calibration import ENOUGH
from lodestone.ensemble.evaluate import evaluate_input_structures, evaluate_views
from lodestone.ensemble.predictor import Aggregation, load_predictors, save_predictors
from lodestone.ensemble.strategies import strategy as strategy_of
from lodestone.errors import LodestoneError
from lodestone.schemas import Predictions
from lodestone.substitution.unrelaxed import UnrelaxedStructures
from lodestone.tables.files import validated, write_json

VIEWS = ("composition", "structure")
STRATEGIES = (*AGGREGATIONS.names(), *VIEWS)


@pytest.fixture
def draws():
    generator = np.random.default_rng(3)
    true = generator.normal(0, 1, 200)
    return true, true + generator.normal(0, 0.02, (4, 200)), true[::-1] + generator.normal(0, 1.0, (4, 200))


@pytest.mark.parametrize("strategy", ["constant", "inverse_variance"])
def test_the_view_that_is_right_gets_the_weight(draws, strategy):
    true, right, wrong = draws
    for composition, structure, weight in ((wrong, right, 1.0), (right, wrong, 0.0)):
        members = {"composition": composition, "structure": structure}
        average = Aggregation.fit(strategy, members, true).aggregate(members)
        assert average.weights["structure"] == pytest.approx(np.full(200, weight), abs=0.02)
        assert average.weights["composition"] == pytest.approx(np.full(200, 1 - weight), abs=0.02)


def test_views_with_opposite_errors_share_the_weight():
    true = np.linspace(-1, 1, 50)
    high, low = (np.tile(true + shift, (2, 1)) for shift in (0.3, -0.1))
    members = {"composition": high, "structure": low}
    found = Aggregation.fit("constant", members, true)
    assert found.parameters["weights"] == pytest.approx({"composition": 0.25, "structure": 0.75})
    assert found.aggregate(members).mean == pytest.approx(true)


def test_spreads_decide_crystal_by_crystal_where_they_know_more_than_a_constant():
    """Each view is good on one half of the crystals, and its members say so: no constant weight can use that."""
    generator = np.random.default_rng(5)
    true, good, bad = generator.normal(0, 1, 400), 0.02, 0.6
    first, second = np.where(np.arange(400) < 200, good, bad), np.where(np.arange(400) < 200, bad, good)
    composition, structure = (true + generator.normal(0, 1, (5, 400)) * size for size in (first, second))
    members = {"composition": composition, "structure": structure}
    maes = {name: np.abs(Aggregation.fit(name, members, true).aggregate(members).mean - true) for name in STRATEGIES}
    means = {name: error.mean() for name, error in maes.items()}
    assert means["inverse_variance"] < 0.3 * means["constant"]
    assert means["inverse_variance"] == min(means.values())
    weights = Aggregation.fit("inverse_variance", members, true).aggregate(members).weights["structure"]
    assert weights[:200].mean() < 0.05
    assert weights[200:].mean() > 0.95


def test_plain_strategies_by_hand():
    composition, structure = np.array([[0.0], [2.0], [9.0]]), np.array([[4.0], [5.0], [6.0]])
    members = {"composition": composition, "structure": structure}
    means = {
        name: float(Aggregation.fit(name, members, np.zeros(1)).aggregate(members).mean[0])
        for name in ("mean", "median", "composition", "structure")
    }
    assert means == pytest.approx({"mean": 13 / 3, "median": 4.5, "composition": 11 / 3, "structure": 5.0})


def test_spread_is_that_of_all_members_of_both_views():
    generator = np.random.default_rng(0)
    composition, structure = generator.normal(0.3, 0.1, (4000, 3)), generator.normal(0, 0.2, (4000, 3))
    members = {"composition": composition, "structure": structure}
    alone = strategy_of("structure", members).aggregate(members, {})
    assert alone.spread == pytest.approx(structure.std(axis=0, ddof=1))
    both = strategy_of("mean", members).aggregate(members, {})
    assert both.spread == pytest.approx(np.concatenate([composition, structure]).std(axis=0), rel=1e-3)
    same = strategy_of("median", members).aggregate({"one": structure, "other": structure + 0.0}, {})
    assert same.spread == pytest.approx(np.full(3, 0.2), rel=0.05)  # interquartile range as a normal std


def member_rows(crystals, view, error, input_structure="relaxed"):
    generator = np.random.default_rng(len(view + input_structure))
    shift = [generator.normal(0, error, len(crystals)) for _ in range(3)]
    return pl.concat(
        crystals.select(
            "material_id",
            pl.lit(input_structure).alias("input_structure"),
            pl.lit(view).alias("view"),
            pl.lit(member, dtype=pl.Int32).alias("member"),
            "split",
            (pl.col("formation_energy_per_atom") + pl.Series(shift[member])).alias("formation_energy_per_atom_pred"),
        )
        for member in range(3)
    )


@pytest.fixture
def held_out(known):
    return known.filter(pl.col("split").is_in(["validation", "test"]))


@pytest.fixture
def tables(held_out):
    return {view: member_rows(held_out, view, error) for view, error in (("composition", 0.3), ("structure", 0.05))}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_views_are_joined_by_name_not_by_order(known, held_out, tables, strategy):
    out_of_distribution = ["system" if number % 3 else "" for number in range(len(held_out))]
    evaluations = evaluate_views(tables, known, out_of_distribution=out_of_distribution, strategy=strategy)
    *parts, shuffled = [
        part.sample(fraction=1.0, shuffle=True, seed=seed) for seed, part in enumerate((*tables.values(), known))
    ]
    members = dict(zip(tables, parts, strict=True))
    again = evaluate_views(members, shuffled, out_of_distribution=out_of_distribution, strategy=strategy)
    assert evaluations.predictor == again.predictor
    assert evaluations.table.sort("material_id").equals(again.table.sort("material_id"))
    assert evaluations.metrics == again.metrics
    assert evaluations.metrics["strategy"] == evaluations.predictor.aggregation.strategy == strategy


def test_the_table_holds_its_contract_and_the_metrics_follow_from_it(known, held_out, tables, tmp_path):
    evaluations = evaluate_views(tables, known, out_of_distribution=["latent"] + [""] * (len(held_out) - 1))
    table, metrics = validated(evaluations.table, Predictions, tmp_path), evaluations.metrics
    assert sorted(table["material_id"]) == sorted(held_out["material_id"])
    assert table["out_of_distribution"].to_list() == ["latent"] + [""] * (len(held_out) - 1)
    assert metrics["weights"]["structure"] > 0.8
    assert sum(metrics["weights"].values()) == pytest.approx(1)
    test = table.filter(pl.col("split") == "test")
    for view, column in (("ensemble", "pred"), ("structure", "pred_structure"), ("composition", "pred_composition")):
        difference = test[f"formation_energy_per_atom_{column}"] - test["formation_energy_per_atom"]
        assert metrics["test"][view]["mae"] == pytest.approx(difference.abs().mean())
        assert metrics["test"][view]["n"] == len(test)
    ends = pl.col("formation_energy_per_atom_lower"), pl.col("formation_energy_per_atom_upper")
    inside = test.filter(pl.col("formation_energy_per_atom").is_between(*ends))
    assert metrics["test"]["uncertainty"]["coverage"]["hits"] == len(inside) > 0.6 * len(test)
    assert metrics["n_train"] == len(known.filter(pl.col("split") == "train"))
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics


def test_stability_is_judged_against_the_hull_of_the_other_crystals(known, held_out, tables):
    """On a hull that held the crystals on trial, none of them could be found below it."""
    scores = evaluate_views(tables, known, out_of_distribution=[""] * len(held_out)).metrics["test"]["stability"]
    test, train = (known.filter(pl.col("split") == part) for part in ("test", "train"))
    from lodestone.crystals.compositions import atomic_fractions
    from lodestone.stability.hull import ConvexHull

    fractions, energies = (
        [atomic_fractions(part["atomic_numbers"].to_list()) for part in (train, test)],
        [part["formation_energy_per_atom"].to_numpy() for part in (train, test)],
    )
    distance = ConvexHull(fractions[0], energies[0]).energies_above_hull(fractions[1], energies[1])
    assert scores["n_stable"] == int((distance <= 0).sum()) > 0
    assert distance.min() < -0.01
    assert scores["f1"] > 0.5
    assert scores["brier"] < 0.25


def test_everything_is_fitted_on_the_validation_crystals_alone(known, held_out, tables):
    """Labels of the test crystals may be anything: neither combination nor calibration must notice."""
    label = pl.when(pl.col("split") == "test").then(9.0).otherwise(pl.col("formation_energy_per_atom"))
    spoilt = known.with_columns(label.alias("formation_energy_per_atom"))
    out_of_distribution = [""] * len(held_out)
    assert (
        evaluate_views(tables, known, out_of_distribution=out_of_distribution).predictor
        == evaluate_views(tables, spoilt, out_of_distribution=out_of_distribution).predictor
    )


def test_no_validation_crystals_are_refused(known, held_out, tables):
    none = known.filter(pl.col("split") != "validation")
    kept = {view: table.filter(pl.col("split") == "test") for view, table in tables.items()}
    reasons = [""] * len(none.filter(pl.col("split") == "test"))
    with pytest.raises(LodestoneError, match="no crystal is in the validation set"):
        evaluate_views(kept, none, out_of_distribution=reasons, strategy="mean")


def test_guesses_have_a_rule_of_their_own(known, held_out, tables):
    """The structure view is poor at unrelaxed ones: the composition view counts for more, and intervals are wider."""
    unrelaxed_structure = held_out.sort("material_id")[::2]
    unrelaxed = member_rows(unrelaxed_structure, "structure", 0.9, "unrelaxed")
    tables = tables | {"structure": pl.concat([tables["structure"], unrelaxed])}
    unrelaxed_structures = UnrelaxedStructures(unrelaxed_structure, [None] * len(unrelaxed_structure))
    out_of_distribution = {"relaxed": [""] * len(held_out), "unrelaxed": [""] * len(unrelaxed_structure)}
    facts = {"unrelaxed_structures": unrelaxed_structures, "out_of_distribution": out_of_distribution}
    found = evaluate_input_structures(tables, known, **facts)
    few = int((unrelaxed_structure["split"] == "validation").sum()) < ENOUGH
    assert few  # so they borrow the rule of relaxed crystals
    assert found["unrelaxed"].predictor == found["relaxed"].predictor
    assert set(found["unrelaxed"].table["material_id"]) == set(unrelaxed_structure["material_id"])
    assert found["unrelaxed"].table["input_structure"].unique().to_list() == ["unrelaxed"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lodestone.ensemble.evaluate.ENOUGH", 3)
        own = evaluate_input_structures(tables, known, **facts)
    weights = [own[name].metrics["weights"]["structure"] for name in ("relaxed", "unrelaxed")]
    assert weights[0] > 0.8
    assert weights[1] < 0.5
    widths = [
        (part.table["formation_energy_per_atom_upper"] - part.table["formation_energy_per_atom_lower"]).mean()
        for part in own.values()
    ]
    assert widths[1] > 1.5 * widths[0]


def test_the_rules_on_disk_are_the_rules(known, held_out, tables, tmp_path):
    rule, other = (
        evaluate_views(tables, known, out_of_distribution=[""] * len(held_out), strategy=name).predictor
        for name in ("inverse_variance", "mean")
    )
    save_predictors({"relaxed": rule, "unrelaxed": other}, tmp_path / "ensemble.json")
    assert load_predictors(tmp_path / "ensemble.json") == {"relaxed": rule, "unrelaxed": other}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format_version": 1}, "has format 1, this version reads 4"),
        ({"format_version": None}, "has format None"),
        (
            {"unrelaxed": {"aggregation": {"strategy": "guess", "views": ["a"], "parameters": {}}}},
            "no aggregation 'guess'",
        ),
        ({"relaxed": {}}, "is damaged: 'aggregation'"),
    ],
)
def test_rules_that_cannot_be_read_are_refused(known, held_out, tables, tmp_path, change, told):
    rule = evaluate_views(tables, known, out_of_distribution=[""] * len(held_out)).predictor
    save_predictors({"relaxed": rule, "unrelaxed": rule}, tmp_path / "ensemble.json")
    write_json(json.loads((tmp_path / "ensemble.json").read_text()) | change, tmp_path / "ensemble.json")
    with pytest.raises(LodestoneError, match=told):
        load_predictors(tmp_path / "ensemble.json")
