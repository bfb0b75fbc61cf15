"""A whole campaign through DVC: it reaches its report, it can be repeated bit by bit, and it survives a kill."""

import json
from itertools import pairwise

import polars as pl
import pytest
from tiny_campaign import BUDGET, Campaign, stages_of

from lodestone.schemas import Crystals, Discoveries, Verifications
from lodestone.tables.files import read_json, read_table

pytestmark = pytest.mark.end_to_end

FIRST, LAST = ["snapshot", "validate", "label", "split"], ["opinions", "phonons", "report", "publish"]
N_VERIFIED = sum(BUDGET.values())  # in each round


# `grown` comes first wherever both are asked for: while it runs, so does `straight`.
def test_two_runs_in_two_folders_give_the_same_hashes(grown, straight):
    assert grown.campaign.lock() == straight.campaign.lock()
    own, other = grown.campaign.verified(), straight.campaign.verified()
    assert own.keys() == other.keys()
    for key, (seconds, energy) in own.items():
        assert energy == other[key][1]
        assert seconds != other[key][0], "one run has used the labels of the other, so nothing is shown"


def test_killed_while_verifying_it_finishes_and_verifies_nothing_twice(grown):
    assert 2 <= len(grown.labels_when_killed) < N_VERIFIED
    assert len(grown.labels_after_rerun) == N_VERIFIED
    for key, label in grown.labels_when_killed.items():
        assert grown.labels_after_rerun[key] == label
    assert grown.rerun.ran == ["active_learning@round_0", *LAST]
    assert "Traceback" not in grown.rerun.err
    assert not [name for name in grown.campaign.files() if name.endswith(".tmp")]


def test_another_round_recomputes_nothing_before_it(grown):
    assert grown.growth.code == 0, grown.growth.err
    assert grown.growth.ran == [*stages_of("round_1"), *LAST]
    after = grown.campaign.lock()
    unchanged = [*FIRST, *stages_of("round_0")]
    assert {name: after[name] for name in unchanged} == {name: grown.hashes_before_growth[name] for name in unchanged}
    assert len(grown.campaign.verified()) == 2 * N_VERIFIED
    assert grown.labels_after_rerun.items() <= grown.campaign.verified().items()


def test_a_campaign_runs_to_its_report(straight):
    assert straight.outcome.ran == [*FIRST, *stages_of("round_0", "round_1"), *LAST]
    folder = straight.campaign.folder
    metrics = read_json(folder / "metrics" / "campaign.json")
    assert metrics["n_rounds"] == 2
    assert metrics["n_verified"] == 2 * N_VERIFIED
    found = read_table(folder / "reports" / "discoveries.parquet", Discoveries)
    assert len(found) == metrics["n_discoveries"] == len(list((folder / "reports" / "cifs").glob("*.cif")))
    page = (folder / "reports" / "campaign.html").read_text()
    assert page.rstrip().endswith("</html>")
    assert str((folder / "reports" / "campaign.html").resolve()) in straight.outcome.out


def test_every_verified_candidate_is_handed_on_and_the_test_set_stays(straight):
    rounds = straight.campaign.folder / "data" / "rounds"
    states = [read_table(rounds / f"round_{number}" / "crystals.parquet", Crystals) for number in range(3)]
    for number, (before, after) in enumerate(pairwise(states)):
        verified = read_table(rounds / f"round_{number}" / "verifications.parquet", Verifications)
        assert len(verified) == N_VERIFIED
        new = verified.filter("is_new")["material_id"]
        assert len(new), "nothing was verified, so nothing is shown"
        assert set(after["material_id"]) - set(before["material_id"]) == set(new)
    tests = [state.filter(pl.col("split") == "test")["material_id"].to_list() for state in states]
    assert tests[0]
    assert tests[0] == tests[1] == tests[2]


def test_dvc_knows_it_is_finished_and_shows_its_metrics_and_plots(straight):
    campaign: Campaign = straight.campaign
    assert json.loads(campaign.dvc("status", "--json").out) == {}
    shown = json.loads(campaign.dvc("metrics", "show", "--json").out)[""]["data"]
    assert shown.keys() == {"metrics/summary.json"}
    assert max(map(len, campaign.dvc("metrics", "show").out.splitlines())) < 150
    plots = json.loads(campaign.dvc("plots", "show", "--json").out)
    assert "errors" not in plots
    assert {"Test error over the rounds", "Hit rate over the rounds"} <= plots["data"].keys()


def test_a_second_run_does_nothing_and_says_so(straight):
    before = straight.campaign.files()
    again = straight.campaign.discover()
    assert again.code == 0
    assert again.ran == []
    assert "Everything is up to date" in again.out
    assert straight.campaign.files() == before


def test_an_experiment_on_the_last_budget_runs_only_what_descends_from_it(straight, tmp_path):
    campaign = straight.campaign.copy(tmp_path / "experiment")
    before = campaign.lock()
    experiment = campaign.dvc("exp", "run", "-S", "rounds.round_1.budget=3")
    assert experiment.code == 0, experiment.err
    assert experiment.ran == ["active_learning@round_1", *LAST]
    after = campaign.lock()
    changed = {name for name in after if after[name] != before[name]}
    assert (
        set(experiment.ran) - {"opinions", "phonons"} <= changed <= set(experiment.ran)
    )  # discoveries may be the same
    verified = read_table(campaign.folder / "data" / "rounds" / "round_1" / "verifications.parquet", Verifications)
    assert len(verified) == N_VERIFIED - 1
