"""A whole search on a small finished campaign: complete, resumable, the same whoever computes it."""

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal

from dask_tasks import choose_dask, dask_pids, dask_workers, kill_when
from finished_campaign import write_finished_campaign
from lodestone.cli.main import main
from lodestone.discovery.proposals import collect
from lodestone.errors import LodestoneError
from lodestone.schemas import Attempts, Candidates
from lodestone.screening import run, sampling
from lodestone.screening.batch import Batch
from lodestone.screening.cascade import ALL, ONE, Cascade, step
from lodestone.screening.run import ordered_families, run_search
from lodestone.screening.search import Search, ground_of
from lodestone.screening.unit import children
from lodestone.tables.files import read_table, write_table
from lodestone.tables.layout import Layout


@pytest.fixture(scope="module")
def campaign(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("screened") / "campaign"
    folder.mkdir()
    torch.manual_seed(1)  # networks are not trained
    write_finished_campaign(folder, rounds=2)
    write_table(Attempts.empty(), Layout(folder / "data").round("round_2").attempts, Attempts)
    return folder


@pytest.fixture
def search(campaign, monkeypatch) -> Search:
    monkeypatch.setattr(run, "UNIT", 5)
    monkeypatch.setattr(sampling, "SHARE", 0.5)
    monkeypatch.setattr(sampling, "ENOUGH", 100)
    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    return Search(campaign=campaign, params=Path("params.yaml"), keep=50)


@pytest.fixture(scope="module")
def batches(campaign) -> list[Batch]:
    search = Search(campaign=campaign, params=Path("params.yaml"))
    ground = ground_of(search)
    found = [children(ground, family, search).obeying() for family in ordered_families(ground, search)]
    return [batch for batch in found if len(batch)]


def test_candidates_are_those_that_the_rules_of_a_campaign_let_pass(batches):
    """One by one, by the objections of the loop."""
    ground = batches[0].ground
    for batch in batches:
        whole = children(ground, batch.family, Search(campaign=Path(), params=Path()))
        offered = {"substitution": (proposal for _, proposal in whole.proposals())}
        accepted = collect(offered, ground.rules, 10**6)
        assert [one.label for _, one in accepted.items] == [one.label for _, one in batch.proposals()]


def test_networks_see_of_children_what_they_see_of_crystals(batches):
    """Structures up to bonds that are merged at one scale and not at another."""
    from lodestone.models.inference import predict_members

    for batch in batches[:6]:
        crystals = [batch.crystal(row) for row in range(len(batch))]
        floor = batch.ground.hull.hull_energies(batch.fractions)
        for view, least in (("composition", 1.0), ("structure", 0.8)):
            exact = predict_members(batch.ground.ensemble.views[view], crystals, "unrelaxed")[0] - floor
            assert np.isclose(step(batch, view), exact, atol=1e-5).mean() >= least


def test_a_search_finds_what_judging_all_candidates_finds(search, batches, tmp_path, monkeypatch):
    """Without a cascade: untrained networks agree on nothing, so that their first ones lose many of the best."""
    monkeypatch.setattr(sampling, "ENOUGH", 1_000)
    content = run_search(search, tmp_path / "out")
    table = read_table(tmp_path / "out" / "candidates.parquet", Candidates)
    assert content["candidates"] == sum(map(len, batches)) > 400
    assert content["kept"] == len(table) == 50
    assert table["stability_probability"].is_sorted(descending=True)
    probability = np.concatenate(
        [
            batch.ground.ensemble.predict(
                [batch.crystal(row) for row in range(len(batch))], "unrelaxed"
            ).probability_below(batch.ground.hull.hull_energies(batch.fractions))
            for batch in batches
        ]
    )
    best = np.sort(probability)[::-1][:50]
    assert table["stability_probability"].to_numpy() == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize(
    ("strategy", "parameters"),
    [
        ("constant", {"weights": {"composition": 0.3, "structure": 0.7}}),
        ("inverse_variance", {"errors": {"composition": 0.5, "structure": 0.5}}),
    ],
)
def test_one_network_of_each_view_is_mixed_as_the_ensemble_mixes_all(batches, monkeypatch, strategy, parameters):
    batch, predictor = batches[0], batches[0].ground.ensemble.predictors["unrelaxed"]
    mixture = replace(predictor.aggregation, strategy=strategy, parameters=parameters)
    monkeypatch.setitem(batch.ground.ensemble.predictors, "unrelaxed", replace(predictor, aggregation=mixture))
    share = parameters.get("weights", {"composition": 0.5, "structure": 0.5})  # equal errors, no spread: equal weights
    expected = sum(weight * step(batch, view) for view, weight in share.items())
    assert step(batch, ONE) == pytest.approx(expected, abs=1e-6)


def test_what_the_cascade_lets_pass_is_judged_and_no_more(search, batches, tmp_path):
    content = run_search(search, tmp_path / "out")
    cascade = Cascade(content["cascade"]["thresholds"])
    assert list(cascade.thresholds) == ["composition", "ensemble", "one_of_each"]
    assert content["judged"] == sum(len(cascade.passing(batch)) for batch in batches) < content["candidates"]
    assert json.loads((tmp_path / "out" / "screening.json").read_text())["cascade"]["recall"]["n"] > 0


def test_a_killed_search_goes_on_and_finds_the_same(search, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run_search(search, whole)
    shutil.copytree(whole, killed)
    parts = sorted((killed / "parts").glob("*.json"))
    for path in parts[1::2]:
        path.unlink()  # counts are written last: such a unit was not finished
    (killed / "candidates.parquet").unlink()
    before = {path: path.stat().st_mtime_ns for path in parts[::2]}
    run_search(search, killed)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert_frame_equal(*(pl.read_parquet(folder / "candidates.parquet") for folder in (whole, killed)))


def test_a_search_that_stops_early_is_the_same_for_any_number_of_processes(search, tmp_path, monkeypatch):
    few = replace(search, count=300, keep=20)
    one = run_search(few, tmp_path / "one")
    monkeypatch.setenv("LODESTONE_WORKERS", "2")
    two = run_search(few, tmp_path / "two")
    times = {"seconds": 0, "seconds_of_sample": 0}
    assert one | times == two | times
    assert one["candidates"] >= 300
    assert one["units"] < one["of_units"]
    assert_frame_equal(*(pl.read_parquet(tmp_path / name / "candidates.parquet") for name in ("one", "two")))


@pytest.mark.slow
def test_a_killed_dask_worker_changes_nothing_and_workers_need_no_file(search, campaign, tmp_path, monkeypatch):
    here, there, held = tmp_path / "here", tmp_path / "there", tmp_path / "held"
    alone = run_search(search, here)
    elsewhere = replace(search, campaign=shutil.copytree(campaign, tmp_path / "campaign"))
    ground_of(elsewhere)  # what this process has read
    shutil.rmtree(elsewhere.campaign)
    killed, seen = [], []

    def some_are_done():
        seen.append(len(list((there / "parts").glob("*.json"))))
        return seen[-1] >= 2

    with dask_workers() as cluster:
        choose_dask(monkeypatch, cluster.scheduler_address)
        held.write_text(str(min(dask_pids(cluster))))
        killer = threading.Thread(target=kill_when, args=(some_are_done, held, killed))
        killer.start()
        together = run_search(elsewhere, there)
        killer.join()
    assert killed
    assert 2 <= seen[-1] < alone["units"]
    times = {"seconds": 0, "seconds_of_sample": 0}
    assert alone | times == together | times
    assert_frame_equal(*(pl.read_parquet(folder / "candidates.parquet") for folder in (here, there)))


def test_a_folder_holds_one_search(search, tmp_path):
    run_search(search, tmp_path)
    with pytest.raises(LodestoneError, match="holds another search: least changed"):
        run_search(replace(search, least=0.01), tmp_path)


def test_an_unfinished_campaign_and_no_parents_are_told(campaign, search, tmp_path):
    shutil.copytree(campaign, tmp_path / "half")
    (tmp_path / "half" / "data" / "rounds" / "round_2" / "crystals.parquet").unlink()
    with pytest.raises(LodestoneError, match=r"round_2/crystals\.parquet does not exist") as told:
        run_search(replace(search, campaign=tmp_path / "half"), tmp_path / "out")
    assert "lodestone discover" in told.value.remedy
    with pytest.raises(LodestoneError, match="within -1 eV/atom of the hull"):
        run_search(replace(search, parents=-1.0), tmp_path / "other")


def test_a_small_search_has_no_cascade(search, tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "ENOUGH", 1_000)
    content = run_search(search, tmp_path)
    assert content["cascade"]["thresholds"] == {}
    assert content["judged"] == content["candidates"]


def test_the_command(search, campaign, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["screen", "--campaign", str(campaign), "--keep", "10", "--out", str(tmp_path / "out")])
    assert not ended.value.code
    printed = capsys.readouterr().out
    assert "candidates of" in printed
    assert len(pl.read_parquet(tmp_path / "out" / "candidates.parquet")) == 10


def test_the_cheapest_step_comes_first_and_the_next_sees_who_passes(batches, monkeypatch):
    seen = []

    def counted(batch: Batch, name: str) -> np.ndarray:
        seen.append((name, len(batch)))
        return np.arange(len(batch), dtype=float)

    monkeypatch.setattr("lodestone.screening.cascade.step", counted)
    largest = max(batches, key=len)
    passing = Cascade({ALL: 4.0, ONE: 9.0, "composition": 19.0}).passing(largest)
    assert seen == [("composition", len(largest)), (ONE, 20), (ALL, 10)]
    assert len(passing) == 5


def test_all_networks_together_say_what_the_ensemble_says(batches):
    for batch in batches[:4]:
        prediction = batch.ground.ensemble.predict([batch.crystal(row) for row in range(len(batch))], "unrelaxed")
        distance = prediction.mean - batch.ground.hull.hull_energies(batch.fractions)
        exact = 0.05 * distance / prediction.std
        assert np.isclose(step(batch, ALL), exact, atol=1e-5).mean() >= 0.8
