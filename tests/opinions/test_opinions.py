"""Verdicts of further oracles, each on a hull of its own."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from toy_judges import ENERGIES, FINDS, LABELLED, judge, label

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.crystals.encoding import decode, describe
from lodestone.ensemble.metrics import wilson_proportion
from lodestone.handover.phases import KnownPhases
from lodestone.opinions.contests import contests
from lodestone.opinions.opinions import opinions
from lodestone.opinions.text import text
from lodestone.opinions.verdicts import verdict
from lodestone.oracles.base import Label
from report.synthetic import above_hull


def others(campaign, row):
    return campaign.known.filter(pl.col("material_id") != row["material_id"])


@pytest.fixture
def pushed_off(finished):
    """Names of the finds that later crystals of the campaign push off its hull."""
    return set(finished.discoveries.filter(pl.col("energy_above_hull") > 1e-8)["material_id"])


@pytest.mark.parametrize("near", [0.0, 0.05, 10.0])
def test_the_campaigns_own_energies_give_its_own_distances_whatever_else_is_left_out(finished, near):
    """On another scale of each element: all energies of a hull, those of the elements, too, are the oracle's."""
    content = opinions(finished, [judge()], label, near)
    rows = content["finds"]
    assert [row["material_id"] for row in rows] == finished.discoveries["material_id"].to_list()
    for row, find in zip(rows, finished.discoveries.iter_rows(named=True), strict=True):
        [expected] = above_hull(pl.DataFrame([find], schema=finished.discoveries.schema), others(finished, find))
        assert row["campaign"]["energy_above_hull"] == pytest.approx(expected, abs=1e-9)
        assert row["opinions"]["toy+0"]["energy_above_hull"] == pytest.approx(expected, abs=1e-9)
        assert row["campaign"]["says_stable"] == (find["energy_above_hull"] <= 1e-8)


def test_phases_high_above_the_hull_are_left_out_unless_they_are_asked_for(finished):
    row = finished.discoveries.row(0, named=True)
    [first, second] = [ATOMIC_NUMBERS[symbol] for symbol in row["chemsys"].split("-")]
    crystal = Crystal(4.0 * np.eye(3), [first] * 4 + [second], [[x, 0.0, 0.0] for x in np.linspace(0, 0.8, 5)])
    ENERGIES[crystal.digest()] = -2.7
    high = describe([crystal]).with_columns(
        material_id=pl.lit("high"), formation_energy_per_atom=pl.lit(0.3), origin=pl.lit("snapshot")
    )
    known = pl.concat([finished.known, high], how="diagonal")
    campaign = replace(finished.only([row["material_id"]]), known=known, phases=KnownPhases.of(known))
    usual, every = (opinions(campaign, [judge()], label, near) for near in (0.05, 9.0))
    assert every["n_crystals"] == usual["n_crystals"] + 1
    assert every["finds"][0]["opinions"]["toy+0"]["n_competing"] == usual["n_crystals"]
    assert [row["campaign"] for row in every["finds"]] == [row["campaign"] for row in usual["finds"]]


def test_each_crystal_is_labelled_once_however_many_finds_it_competes_with(finished):
    content = opinions(finished, [judge(), judge(shift=0.1)], label)
    assert len(LABELLED) == len(set(LABELLED)) == 2 * content["n_crystals"]
    assert {digest for _, digest in LABELLED} >= FINDS


def test_judges_dispute_what_they_put_above_their_hull(finished, pushed_off):
    content = opinions(finished, [judge(), judge(shift=9.0)], label)
    n = len(content["finds"])
    for row in content["finds"]:
        alone = [] if row["material_id"] not in pushed_off else ["chgnet-0.3.0", "toy+0"]
        assert row["disputed_by"] == [*alone, "toy+9"]
        assert (row["agree"], row["n_verdicts"]) == (2 - len(alone), 3)
        said = row["opinions"]["toy+9"]["energy_above_hull"]
        assert said > row["opinions"]["toy+0"]["energy_above_hull"] + 8  # less where the find competes with finds
    assert 0 < len(pushed_off) < n
    assert content["survive"] == {"toy+0": wilson_proportion(n - len(pushed_off), n), "toy+9": wilson_proportion(0, n)}
    assert content["all_agree"] == wilson_proportion(0, n)
    agreed = opinions(finished, [judge()], label)
    assert agreed["all_agree"] == wilson_proportion(n - len(pushed_off), n)
    assert sum(share["n"] for share in agreed["all_agree_by"].values()) == n


def test_judges_of_one_functional_have_a_median_and_a_spread(finished):
    one = finished.only(finished.discoveries["material_id"].to_list()[:1])
    FINDS.intersection_update(digest for digest in FINDS if digest == _digest(one))
    several = [judge(shift=shift) for shift in (0.0, 0.01, 0.05)]
    content = opinions(one, [*several, judge(shift=7.0, functional="PBE")], label)
    [row] = content["finds"]
    own = row["campaign"]["energy_above_hull"]
    assert row["functionals"]["r2SCAN"]["n"] == 3
    assert row["functionals"]["r2SCAN"]["median"] == pytest.approx(own + 0.01)
    assert row["functionals"]["r2SCAN"]["spread"] == pytest.approx(0.05)
    assert row["functionals"]["PBE"]["spread"] is None
    assert content["functionals"]["r2SCAN"]["median_spread"] == pytest.approx(0.05)
    assert content["functionals"]["r2SCAN"]["n_spread"] == 1
    assert content["functionals"]["r2SCAN"]["oracles"] == ["toy+0", "toy+0.01", "toy+0.05"]
    assert content["functionals"]["PBE"]["median_spread"] is None


def _digest(campaign):
    [crystal] = decode(campaign.discoveries)
    return crystal.digest()


def test_an_oracle_that_does_not_know_an_element_of_a_find_gives_no_verdict_and_says_why(finished):
    table = finished.discoveries
    element = table["chemsys"][0].split("-")[0]
    concerned = table["chemsys"].str.split("-").list.contains(element)
    content = opinions(finished, [judge(refused=(element,)), judge(shift=0.001)], label)
    for row, is_concerned in zip(content["finds"], concerned, strict=True):
        said = row["opinions"]["toy+0"]
        assert (said["says_stable"] is None) == (said["energy_above_hull"] is None) == is_concerned
        assert said["reason"] == ("the find: unseen_element: some" if is_concerned else None)
        assert row["n_verdicts"] == 3 - is_concerned
        assert "toy+0" not in row["disputed_by"] or not is_concerned
    n = int(concerned.sum())
    assert content["n_without_all_verdicts"] == n > 0
    assert content["all_agree"]["n"] == content["survive"]["toy+0"]["n"] == len(table) - n
    assert content["oracles"]["toy+0"]["refused"]["unseen_element"] > n


def test_without_a_phase_that_matters_there_is_no_verdict_and_without_another_one_that_says_so(finished):
    contest = next(one for one in contests(finished, 10.0) if not one.phases["is_needed"].all())
    names = [*contest.phases["material_id"], contest.find["material_id"]]
    energies = dict(finished.known.select("material_id", "energy_per_atom").iter_rows())
    every = {name: Label("ok", energies[name], object()) for name in names}
    whole = verdict(contest, every)
    assert (whole["n_missing"], whole["reason"]) == (0, None)
    for name, formula, is_needed in contest.phases.select("material_id", "formula_pretty", "is_needed").iter_rows():
        said = verdict(contest, every | {name: Label("exploded")})
        assert said["n_missing"] == 1
        assert said["n_competing"] == whole["n_competing"] - 1
        assert said["reason"] == (f"{formula}: exploded" if is_needed else None)
        assert said["energy_above_hull"] == (None if is_needed else whole["energy_above_hull"])


def test_what_a_find_decomposes_into_and_its_elements_are_needed(finished):
    for contest in contests(finished):
        needed = contest.phases.filter("is_needed")
        assert set(contest.elements) <= set(needed["chemsys"])
        nearest = others(finished, contest.find).filter(pl.col("material_id").is_in(needed["material_id"].implode()))
        find = finished.discoveries.filter(pl.col("material_id") == contest.find["material_id"])
        assert above_hull(find, nearest)[0] == pytest.approx(contest.distance, abs=1e-9)


def test_a_phase_of_which_the_campaign_knows_the_energy_alone_is_missing(finished):
    """As phases of the source without structures: no other oracle can label them."""
    row = finished.discoveries.row(0, named=True)
    salt = pl.DataFrame(
        {
            "material_id": ["phase"],
            "formula_pretty": [row["formula_pretty"]],
            "chemsys": [row["chemsys"]],
            "formation_energy_per_atom": [row["formation_energy_per_atom"] + 0.001],
        }
    )
    with_phase = replace(finished, phases=KnownPhases.of(finished.known, salt))
    said = opinions(with_phase, [judge()], label)["finds"][0]["opinions"]["toy+0"]
    assert said["n_missing"] == 1
    assert said["reason"] == f"{row['formula_pretty']}: no_structure"


def test_the_order_of_the_rows_changes_nothing_but_the_order_of_the_finds(finished):
    shuffled = replace(
        finished,
        known=finished.known.sample(fraction=1.0, shuffle=True, seed=1),
        phases=KnownPhases.of(finished.known.sample(fraction=1.0, shuffle=True, seed=2)),
        discoveries=finished.discoveries.reverse(),
        verifications=finished.verifications.reverse(),
    )
    judges = [judge(), judge(shift=0.02)]
    first, second = opinions(finished, judges, label), opinions(shuffled, judges, label)
    assert second.pop("finds")[::-1] == first.pop("finds")
    assert first == second


def test_polymorphs_of_a_find_compete_with_it(finished):
    """A lower crystal of its own composition makes a find unstable, too."""
    row = finished.discoveries.row(0, named=True)
    twin = finished.known.filter(pl.col("material_id") == row["material_id"]).with_columns(
        material_id=pl.lit("twin"), formation_energy_per_atom=pl.lit(row["formation_energy_per_atom"] - 0.02)
    )
    known = pl.concat([finished.known, twin])
    [contest] = contests(replace(finished.only([row["material_id"]]), known=known, phases=KnownPhases.of(known)))
    assert contest.distance == pytest.approx(0.02)
    assert "twin" in contest.phases.filter("is_needed")["material_id"]


def test_the_content_is_json_and_its_text_puts_the_most_disputed_find_last(finished):
    content = opinions(finished, [judge(), judge(shift=0.05, refused=("Li",))], label)
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    lines = text(content).splitlines()
    n = content["n_finds"]
    assert lines[0].startswith(f"{n} finds, held by 2 further oracles against what the campaign knows within 0.05")
    head = next(place for place, line in enumerate(lines) if line.startswith("formula"))
    disputes = [
        line.split(" of ")[1].split()[1] != "-" and "toy" in line.split(" of ")[1] for line in lines[head + 1 :]
    ]
    assert len(lines) - head - 1 == n
    assert "median (spread) r2SCAN" in lines[head]
    counts = [_disputes(row) for row in content["finds"]]
    assert max(counts) > 0
    worst = next(row for row in content["finds"] if _disputes(row) == max(counts))
    assert disputes[-1]
    assert any(line.startswith(worst["formula_pretty"]) for line in lines[-counts.count(max(counts)) :])
    assert "no verdict of toy+0.05 (the find: unseen_element: some)" in text(content)
    share = content["survive"]["toy+0"]
    assert f"{share['hits']:>5} of {n}  {100 * share['rate']:5.1f} %" in text(content)


def _disputes(row):
    return len(row["disputed_by"])


def test_a_judge_without_any_label_leaves_no_share(finished):
    every = tuple({symbol for system in finished.discoveries["chemsys"] for symbol in system.split("-")})
    content = opinions(finished, [judge(refused=every)], label)
    assert content["survive"]["toy+0"]["n"] == content["all_agree"]["n"] == 0
    assert "0 of 0  toy+0 says stable" in text(content)
    assert np.isfinite([row["campaign"]["energy_above_hull"] for row in content["finds"]]).all()
