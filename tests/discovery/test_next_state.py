"""What a round hands to the next one."""

import polars as pl
import pytest
from world import BASELINE, BUDGET, ROUNDS, acquired_of

from lodestone.crystals.splits import split_of
from lodestone.curation.labelling import energy_above_hull


def test_what_is_known_grows_by_the_novel_crystals(campaign):
    states, results = campaign
    for before, result, after, name in zip(states[:-1], results, states[1:], ROUNDS, strict=True):
        new = result.verifications.filter("is_new")
        added = after.crystals.join(before.crystals, on="material_id", how="anti")
        assert sorted(added["material_id"]) == sorted(new["material_id"])
        assert set(added["origin"]) == {name}
        columns = ["material_id", "formation_energy_per_atom", "energy_per_atom", "decorated_prototype", "lattice"]
        assert added.select(columns).sort("material_id").equals(new.select(columns).sort("material_id"))
        kept = [column for column in before.crystals.columns if column != "energy_above_hull"]
        old = after.crystals.join(before.crystals, on="material_id", how="semi")
        assert old.select(kept).equals(before.crystals.select(kept))
        assert not set(added["decorated_prototype"]) & set(before.crystals["decorated_prototype"])
        assert added["decorated_prototype"].is_unique().all()
        assert result.metrics["n_known_crystals"] == len(after.crystals)
        assert after.references.equals(before.references)


def test_hull_distances_are_those_of_the_new_hull(campaign):
    before, after = campaign[0][0].crystals, campaign[0][-1].crystals
    fresh = energy_above_hull(after, after["formation_energy_per_atom"].to_numpy())
    assert after["energy_above_hull"].to_list() == pytest.approx(fresh.to_list(), abs=1e-12)
    both = before.join(after, on="material_id", suffix="_after")
    risen = both["energy_above_hull_after"] - both["energy_above_hull"]
    assert risen.min() >= -1e-9  # the hull only sinks
    assert (risen > 0.01).sum() > 10
    last = campaign[1][-1].metrics
    assert last["n_stable_end"] == len(after.filter(pl.col("energy_above_hull") == 0))
    assert [result.metrics["n_stable_start"] for result in campaign[1][1:]] == [
        result.metrics["n_stable_end"] for result in campaign[1][:-1]
    ]


def test_the_test_set_never_moves(campaign):
    states, _ = campaign
    columns = ["material_id", "formation_energy_per_atom", "energy_per_atom", "atomic_numbers", "frac_coords"]
    for split in ("test", "validation"):
        tables = [state.crystals.filter(pl.col("split") == split).select(columns) for state in states]
        assert len(tables[0]) > 10
        assert all(later.equals(tables[0]) for later in tables[1:])


def test_no_formula_of_test_or_validation_is_learned_from(campaign, params):
    end = campaign[0][-1].crystals
    formulas = {split: set(end.filter(pl.col("split") == split)["formula_pretty"]) for split in end["split"].unique()}
    assert not formulas["train"] & (formulas["test"] | formulas["validation"] | formulas["holdout"])
    assert formulas["holdout"]  # the case did occur
    discovered = end.filter(pl.col("origin") != "snapshot")
    for formula, chemsys, split in discovered.select("formula_pretty", "chemsys", "split").iter_rows():
        learned = "-" not in chemsys or split_of(formula, params.split) == "train"
        assert split == ("train" if learned else "holdout")


def test_attempts_grow_and_never_repeat(campaign):
    states, results = campaign
    for before, result, after, name in zip(states[:-1], results, states[1:], ROUNDS, strict=True):
        acquired = acquired_of(result)
        new = after.attempts.tail(len(acquired))
        assert after.attempts.head(len(before.attempts)).equals(before.attempts)
        assert sorted(new["decorated_prototype"]) == sorted(acquired["decorated_prototype"])
        assert set(new["round"]) == {name}
        assert not set(result.candidates["decorated_prototype"]) & set(before.attempts["decorated_prototype"])
        assert not set(result.candidates["decorated_prototype"]) & set(before.crystals["decorated_prototype"])
    last = states[-1].attempts
    assert last["decorated_prototype"].n_unique() == len(last) == 3 * (BUDGET + BASELINE)
    assert results[-1].metrics["n_discovered_total"] == last["is_discovery"].sum()
    assert last["is_discovery"].sum() == sum(result.metrics["n_discovered"] for result in results)
