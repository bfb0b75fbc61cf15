"""The accuracy gate lets a campaign pass that is within its bounds, and no other."""

import json
from pathlib import Path

import pytest

from lodestone.cli.main import main
from lodestone.errors import LodestoneError
from lodestone.release.gate import BOUNDS_FILE, figures, judge, read_bounds

ROOT = Path(__file__).parents[2]
BOUND = {"mean": 0.066, "std": 0.001, "n": 5, "low": None, "high": 0.07}


def scores(mae: float, covered: float) -> dict:
    return {"test": {"ensemble": {"mae": mae}, "uncertainty": {"coverage": {"rate": covered}}}}


@pytest.fixture
def metrics(tmp_path):
    """What the stages of two rounds have written."""
    rates = {"model": {"hits": 9, "n": 10}, "random": {"hits": 1, "n": 4}}
    later = {"model": {"hits": 6, "n": 10}, "random": {"hits": 1, "n": 4}}
    campaign = {
        "hit_rate": {"round_0": rates, "round_10": later},  # in the order of the campaign, not of the alphabet
        "test_mae": {"ensemble": 0.066, "composition": 0.14, "structure": 0.067},
    }
    (tmp_path / "round_10").mkdir()
    (tmp_path / "campaign.json").write_text(json.dumps(campaign))
    last = scores(0.066, 0.91) | {"unrelaxed": scores(0.097, 0.88)}
    (tmp_path / "round_10" / "ensemble.json").write_text(json.dumps(last))
    return tmp_path


def test_figures_are_of_the_last_round_and_hit_rates_of_all(metrics):
    assert figures(metrics) == {
        "test_mae_ensemble": 0.066,
        "test_mae_composition": 0.14,
        "test_mae_structure": 0.067,
        "test_mae_unrelaxed": 0.097,
        "coverage_90": 0.91,
        "coverage_90_unrelaxed": 0.88,
        "hit_rate_model": 0.75,
        "hit_rate_random": 0.25,
    }


@pytest.mark.parametrize(
    ("value", "low", "high", "holds"),
    [
        (0.066, None, 0.07, True),
        (0.071, None, 0.07, False),
        (0.9, 0.85, 0.95, True),
        (0.84, 0.85, 0.95, False),
        (0.96, 0.85, None, True),
        (None, None, 0.07, False),
        (float("nan"), None, 0.07, False),
    ],
)
def test_a_figure_outside_its_bounds_or_missing_does_not_hold(value, low, high, holds):
    found = {} if value is None else {"figure": value}
    (verdict,) = judge(found, {"figure": BOUND | {"low": low, "high": high}})
    assert verdict.holds == holds
    assert ("OUTSIDE" in str(verdict)) != holds


@pytest.mark.parametrize(("high", "code"), [(0.07, 0), (0.05, 1)])
def test_the_command_prints_every_figure_with_its_bound_and_fails_outside(metrics, capsys, high, code):
    bounds = metrics / "bounds.json"
    bounds.write_text(json.dumps({"figures": {"test_mae_ensemble": BOUND | {"high": high}}}))
    with pytest.raises(SystemExit) as ended:
        main(["gate", "--metrics", str(metrics), "--bounds", str(bounds)])
    assert ended.value.code == code
    told = capsys.readouterr().out
    assert "test_mae_ensemble" in told
    assert "0.0660 ± 0.0010 over 5 seeds" in told
    assert f"{high:.4f}" in told


def test_a_campaign_that_is_not_finished_and_a_file_without_bounds_are_told(tmp_path):
    with pytest.raises(LodestoneError, match=r"campaign\.json"):
        figures(tmp_path)
    (tmp_path / "bounds.json").write_text("{}")
    with pytest.raises(LodestoneError, match="holds no bounds"):
        read_bounds(tmp_path / "bounds.json")


def test_the_bounds_of_the_repository_can_be_read_and_enclose_their_means():
    bounds = read_bounds(ROOT / BOUNDS_FILE)
    assert {"test_mae_ensemble", "coverage_90", "hit_rate_model"} <= bounds.keys()
    for verdict in judge({name: bound["mean"] for name, bound in bounds.items()}, bounds):
        assert verdict.holds, verdict
