"""What a round proposes, verifies and measures."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from world import BASELINE, BUDGET, acquired_of

from lodestone.crystals.encoding import decode
from lodestone.discovery.round import choose_candidates, run_round
from lodestone.schemas import Attempts, Candidates, Crystals, Verifications
from lodestone.tables.files import validated


def test_tables_hold_their_contracts(campaign, tmp_path):
    states, results = campaign
    for state in states:
        validated(state.crystals, Crystals, tmp_path)
        validated(state.attempts, Attempts, tmp_path)
    for result in results:
        validated(result.candidates, Candidates, tmp_path)
        validated(result.verifications, Verifications, tmp_path)
        kinds = Verifications.to_schema().columns.items()
        assert {name for name, kind in kinds if not kind.regex} < set(result.verifications.columns)


def test_the_oracle_gets_the_budget_and_the_baseline_at_once(first, world):
    assert world.asked[0] == BUDGET + BASELINE == len(first.verifications)
    assert first.verifications["acquired_by"].value_counts().sort("count").rows() == [("random", 10), ("model", 30)]
    assert first.metrics["n_proposed"] == len(first.candidates) == 300
    assert first.metrics["n_screened"] == len(first.candidates.filter(pl.col("energy_above_hull_pred") <= 0.1))


def test_verifications_are_of_the_acquired_candidates(first, world):
    """Energies and distances must land on the row of the crystal that they are of."""
    acquired = acquired_of(first)
    crystals = decode(acquired)
    verifications = first.verifications.sort("material_id")
    assert verifications["material_id"].to_list() == acquired["material_id"].to_list()
    fails = [world.fails(crystal) for crystal in crystals]
    energies = np.where(fails, np.nan, world.energies(crystals))
    assert verifications["energy_per_atom"].fill_null(np.nan).to_numpy() == pytest.approx(energies, nan_ok=True)
    offsets = np.where(fails, np.nan, world.offsets(crystals))  # from the hull at the start
    assert verifications["energy_above_hull"].fill_null(np.nan).to_numpy() == pytest.approx(offsets, nan_ok=True)
    predicted = ("energy_above_hull_pred", "formation_energy_per_atom_upper", "out_of_distribution")
    for column in ("generator", "provenance", "formula_pretty", *predicted):
        assert verifications[column].to_list() == acquired[column].to_list()


def test_failed_relaxations_keep_their_reason_and_count_in_n(first):
    verifications = first.verifications
    failed = verifications.filter(pl.col("status") != "ok")
    assert 0 < len(failed) < len(verifications)
    assert set(failed["status"]) == {"not_converged: 100 steps"}
    assert set(failed["n_steps"]) == {100}
    assert failed.select("energy_per_atom", "energy_above_hull", "lattice").null_count().row(0) == (len(failed),) * 3
    assert not failed["is_stable"].any()
    assert not failed["is_new"].any()
    assert first.metrics["rejected"] == {"not_converged": len(failed)}
    assert {how: rate["n"] for how, rate in first.metrics["hit_rate"].items()} == {"model": BUDGET, "random": BASELINE}
    assert first.metrics["n_ok"] == len(verifications) - len(failed) == first.metrics["verified_mae"]["n"]


def test_hits_are_novel_crystals_on_or_below_the_hull_at_the_start(first, campaign):
    verifications = first.verifications
    expected = verifications.filter((pl.col("status") == "ok") & pl.col("is_new") & (pl.col("energy_above_hull") <= 0))
    assert set(expected["material_id"]) == set(verifications.filter("is_stable")["material_id"])
    for how, rate in first.metrics["hit_rate"].items():
        assert rate["hits"] == len(expected.filter(pl.col("acquired_by") == how))
        assert rate["rate"] == rate["hits"] / rate["n"]
    assert first.metrics["hit_rate"]["model"]["hits"] > 5
    words = ("n_discovered", "n_undecided", "n_overtaken")
    assert sum(first.metrics[word] for word in words) == len(expected)
    # Some hits lie above others of the same round; they still count.
    after = campaign[0][1].crystals.filter(pl.col("material_id").is_in(expected["material_id"].to_list()))
    assert 0 < len(after.filter(pl.col("energy_above_hull") > 0)) < len(after)


def test_distances_in_later_rounds_agree_with_pymatgens_phase_diagrams(campaign):
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition

    states, results = campaign
    verifications = results[1].verifications.filter(pl.col("status") == "ok")
    assert len(verifications) > 25
    assert verifications["chemsys"].str.contains("-", literal=True).all()  # pure elements are never proposed
    for row in verifications.iter_rows(named=True):
        elements = row["chemsys"].split("-")
        inside = pl.col("chemsys").str.split("-").list.eval(pl.element().is_in(elements)).list.all()
        rivals = states[1].crystals.filter(inside).select("formula_pretty", "energy_per_atom")
        formulas = [Composition(formula) for formula in rivals["formula_pretty"]]
        totals = [
            formula.num_atoms * energy for formula, energy in zip(formulas, rivals["energy_per_atom"], strict=True)
        ]
        hull = PhaseDiagram(list(map(PDEntry, formulas, totals))).get_hull_energy_per_atom(
            Composition(row["formula_pretty"])
        )
        # Formation energies of the reference set have five digits.
        assert row["energy_above_hull"] == pytest.approx(row["energy_per_atom"] - hull, abs=1e-5)


def test_errors_of_predictions_are_measured_on_what_was_verified(first, world):
    crystals = [crystal for crystal in decode(acquired_of(first)) if not world.fails(crystal)]
    prediction, true = world.predict(crystals), world.formation_energies(crystals)
    mae = first.metrics["verified_mae"]
    assert mae["ensemble"] == pytest.approx(np.abs(prediction.mean - true).mean())
    assert (mae["composition"], mae["structure"]) == pytest.approx((0.1, 0.2))


def test_the_hit_rate_that_was_claimed_is_the_mean_probability_of_the_chosen(first):
    predicted = first.metrics["predicted_hit_rate"]
    for how in ("model", "random"):
        table = acquired_of(first, [how])
        hit = table["stability_probability"] - table["incomplete_probability"]
        assert predicted[how] == pytest.approx(hit.mean())
    assert predicted["model"] > predicted["random"] > 0


def test_metrics_are_plain_json(campaign):
    for result in campaign[1]:
        assert json.loads(json.dumps(result.metrics, allow_nan=False)) == result.metrics


def test_the_same_seed_gives_the_same_round_and_another_seed_another(start, world, params, first):
    again = run_round("round_0", start, world, params, world.label)
    assert again.candidates.equals(first.candidates)
    assert again.verifications.equals(first.verifications)
    assert again.state.crystals.equals(first.state.crystals)
    assert again.metrics == first.metrics
    other = run_round("round_0", start, world, params.model_copy(update={"seed": 4}), world.label)
    assert set(other.candidates["material_id"]) != set(first.candidates["material_id"])


def test_the_choice_of_a_round_depends_on_its_name(start, world, params, first):
    """Else every round of a campaign that finds nothing would draw the same candidates."""
    other = run_round("round_1", start, world, params, world.label)
    assert set(other.candidates["decorated_prototype"]) != set(first.candidates["decorated_prototype"])


def test_relatives_are_averaged_in_where_parameters_ask_for_them(start, world, params, first, tmp_path):
    asked = params.model_copy(update={"discovery": params.discovery.model_copy(update={"relatives": True})})
    all_learned_from = replace(start, crystals=start.crystals.with_columns(pl.lit("train").alias("split")))
    none = choose_candidates("round_0", all_learned_from, world, asked).candidates
    assert none.equals(first.candidates)  # no validation crystals to fit a share
    held_out = pl.col("chemsys").str.contains("-", literal=True) & (pl.col("material_id").hash() % 2 == 0)
    split = pl.when(held_out).then(pl.lit("validation")).otherwise(pl.lit("train")).alias("split")
    known = replace(start, crystals=start.crystals.with_columns(split))
    found = choose_candidates("round_0", known, world, asked).candidates.sort("material_id")
    validated(found, Candidates, tmp_path)
    before = first.candidates.sort("material_id")
    assert found["material_id"].to_list() == before["material_id"].to_list()  # the same were proposed
    moved = (found["energy_above_hull_pred"] - before["energy_above_hull_pred"]).abs()
    assert moved.max() > 1e-3
    assert found["formation_energy_per_atom_std"].is_finite().all()
