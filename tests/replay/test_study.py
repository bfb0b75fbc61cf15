"""The command: tables in, networks trained, figures out; what is finished is not done again."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import yaml

from lodestone.cli.main import main
from lodestone.replay import learner, networks
from lodestone.replay.study import _Beginnings
from lodestone.replay.summary import interval, summarize, table

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TINY = {"width": 16, "layers": 2, "members": 2, "epochs": 3, "fine_tune_epochs": 2, "batch_size": 16}
POLICIES = ["ours", "random", "likeliest-substitution", "greedy", "composition", "structure", "uncalibrated", "static"]
POLICIES += ["with-relatives", "expected-improvement", "upper-confidence"]
POLICIES += ["diverse-systems", "diverse-prototypes", "diverse-latents"]


@pytest.fixture(scope="module")
def params(tmp_path_factory):
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    for view in content["views"]:
        content[view] |= TINY
    path = tmp_path_factory.mktemp("params") / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def call(tables, params, tmp_path, capsys):
    """Run the command; returns its exit code, what it said, and the folder of its results."""

    def _call(*more, budget=6, out="out"):
        arguments = ["--known", tables.known, "--pool", tables.pool, "--prevalence", "0.3", "--budget", budget]
        arguments += ["--rounds", "2", "--seeds", "2", "--out", tmp_path / out, "--params", params, *more]
        with pytest.raises(SystemExit) as ended:
            main(["replay", *map(str, arguments)])
        said = capsys.readouterr()
        return ended.value.code, said.out + said.err, tmp_path / out

    return _call


def test_every_policy_has_figures_with_intervals_and_hit_rates_by_round(call):
    code, said, out = call()
    assert code == 0, said
    found = json.loads((out / "replay.json").read_text())
    assert list(found["policies"]) == sorted(POLICIES)
    assert len(list((out / "networks").iterdir())) == 2  # both seeds start from one ensemble of each view
    n_stable, n_pool = found["n_stable"], found["n_pool"]
    assert found["prevalence"] == n_stable / n_pool == pytest.approx(0.3, abs=0.05)  # of a small pool
    for policy in found["policies"].values():
        for name in ("acceleration", "share_of_ceiling", "area", "area_within_budget"):
            assert policy[name]["low"] <= policy[name]["mean"] <= policy[name]["high"]
        assert [rate["n_verified"] for rate in policy["hit_rate"]] == [6, 6]  # 3 in each round, two seeds
        hits = sum(rate["hits"] for rate in policy["hit_rate"])
        assert policy["finds"]["mean"] == hits / 2 == policy["curve"][-1]
        assert policy["acceleration"]["mean"] == pytest.approx(hits / 2 / 6 / found["prevalence"])
        assert policy["share_of_ceiling"]["mean"] == pytest.approx(hits / 2 / min(6, n_stable))
    lines, page = (out / "replay.md").read_text(), (out / "replay.html").read_text()
    for name in POLICIES:
        assert f"| {name} |" in lines
        assert f">{name}</td>" in page
    assert lines.strip() in said


def test_seeds_take_the_trained_ensembles_in_turn(tmp_path):
    beginnings = _Beginnings(
        SimpleNamespace(starts=2, out=tmp_path), pl.DataFrame(), SimpleNamespace(table=pl.DataFrame())
    )
    beginnings.__dict__["_inputs"] = (None, None)  # nothing is trained before a policy asks for it
    assert [beginnings.of(seed).number for seed in range(4)] == [0, 1, 0, 1]
    assert beginnings.of(5) is beginnings.of(3)  # what it says is not computed twice


def test_what_is_finished_is_not_done_again(call, monkeypatch):
    code, said, out = call("--policy", "ours", "random")
    assert code == 0, said
    before = (out / "replay.json").read_bytes()

    def fit(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(networks, "fit_prepared", fit)
    assert call("--policy", "ours", "--policy", "random")[0] == 0
    assert (out / "replay.json").read_bytes() == before
    code, said, _ = call("--policy", "static", budget=8)  # other results of the same networks
    assert code == 0, said
    assert len(json.loads((out / "replay.json").read_text())["policies"]["static"]["curve"]) == 8


@pytest.mark.parametrize(("learnable", "times"), [(0.01, 4), (10.0, 0)])
def test_networks_learn_where_the_labels_are_enough(call, monkeypatch, learnable, times):
    calls, fine_tuned = [], learner.fine_tuned

    def counted(*arguments):
        calls.append(arguments)
        return fine_tuned(*arguments)

    monkeypatch.setattr(learner, "fine_tuned", counted)
    monkeypatch.setattr(learner, "LEARNABLE", learnable)
    code, said, _ = call("--policy", "ours")
    assert code == 0, said
    assert len(calls) == times  # two seeds, two views, between two rounds


def test_equal_studies_give_equal_files_elsewhere(call):
    one, other = (call("--policy", "ours", out=out)[2] for out in ("one", "other"))
    for name in ("replay.json", "replay.md", "replay.html"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--policy", "luck"], "there is no policy 'luck'"),
        (["--budget", "100000"], "a budget of 100000 is more than the"),
        (["--prevalence", "0"], "'0' is not a share above 0"),
        (["--known", "nowhere.parquet"], "nowhere.parquet does not exist"),
    ],
)
def test_bad_input_ends_in_one_message(call, more, told):
    code, said, out = call(*more)
    assert code != 0
    assert told in said
    assert "Traceback" not in said
    assert not (out / "replay.json").exists()


def test_intervals_are_told_where_there_are_several_seeds():
    assert interval({"mean": 4.8, "low": 4.5, "high": 5.1}, "{:.2f}") == "4.80 (4.50 to 5.10)"
    assert interval({"mean": 0.48, "low": None, "high": None}, "{:.0%}") == "48%"


def test_the_best_policy_stands_first():
    from lodestone.replay.campaign import Run

    def run(name, finds):
        return Run(name, 0, 10, 2, [finds], [False] * 8)

    summary = summarize([run("bad", [False, False]), run("good", [True, True])], {})
    assert [line.split(" | ")[0] for line in table(summary)][2:] == ["| good", "| bad"]
    assert summary["acceleration_ceiling"] == 5.0
    assert summary["policies"]["good"]["curve"] == [1.0, 2.0]
    assert np.isclose(summary["policies"]["good"]["area"]["mean"], 1.0)
