"""A campaign with a third view, added by one file; and what a change of one room makes DVC run again."""

import json
import shutil

import polars as pl
import pytest
from tiny_campaign import ROOT, VIEW, Campaign, make_campaign, stages_of

from lodestone.schemas import Candidates, Predictions, Verifications, view_columns
from lodestone.tables.files import read_json, read_table

pytestmark = pytest.mark.end_to_end

VIEWS = ["composition", "structure", "toy"]


def _with_toy(params) -> None:
    params["views"] = VIEWS
    section = {key: value for key, value in params["composition"].items() if key != "cutoff"}
    params["toy"] = section | VIEW | {"statistics": "mean"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Campaign:
    """A finished campaign of one round with the view of the how-to page, its code as it stands there."""
    campaign = make_campaign(tmp_path_factory.mktemp("toy") / "campaign", rounds=1)
    shutil.copyfile(
        ROOT / "docs" / "how-to" / "toy_view.py", campaign.folder / "pipeline" / "lodestone" / "models" / "toy.py"
    )
    campaign.edit(_with_toy)
    outcome = campaign.discover()
    assert outcome.code == 0, outcome.out + outcome.err
    trained = [name for name in outcome.ran if name.startswith("train@")]
    assert trained == [f"train@{view}-round_0" for view in VIEWS]
    assert set(stages_of("round_0")) < set(outcome.ran)
    return campaign


def test_every_table_has_a_column_for_each_view(finished):
    folder = finished.folder / "data" / "rounds" / "round_0"
    contracts = {"predictions": Predictions, "candidates": Candidates, "verifications": Verifications}
    for name, contract in contracts.items():
        table = read_table(folder / f"{name}.parquet", contract)
        assert list(view_columns(table)) == VIEWS
        assert table["formation_energy_per_atom_pred_toy"].n_unique() > 1


def test_the_prediction_is_the_weighted_mean_of_the_views(finished):
    metrics = read_json(finished.folder / "metrics" / "round_0" / "ensemble.json")
    table = read_table(finished.folder / "data" / "rounds" / "round_0" / "predictions.parquet", Predictions)
    for part, weights in (("relaxed", metrics["weights"]), ("unrelaxed", metrics["unrelaxed"]["weights"])):
        assert sorted(weights) == VIEWS
        assert sum(weights.values()) == pytest.approx(1)
        rows = table.filter(pl.col("input_structure") == part)
        mean = sum(weights[view] * rows[column] for view, column in view_columns(rows).items())
        assert mean.to_numpy() == pytest.approx(rows["formation_energy_per_atom_pred"].to_numpy(), abs=1e-9)


def test_the_report_shows_every_view(finished):
    page = (finished.folder / "reports" / "campaign.html").read_text()
    for view in VIEWS:
        assert f"weight of the {view} view " in page
        assert f"{view.capitalize()} view, test" in page
    table = pl.read_csv(finished.folder / "metrics" / "test_mae.csv")
    assert table.columns == ["round", *VIEWS, "ensemble"]
    plots = json.loads(finished.dvc("plots", "show", "--json").out)
    assert "errors" not in plots
    drawn = json.dumps(plots["data"]["Test error over the rounds"])
    assert all(f"test_mae.csv::{view}" in drawn for view in VIEWS)


def test_a_change_of_the_ensemble_or_the_hull_trains_nothing_again(finished):
    """Where DVC sees the change in each file, and yet says of every training that it is up to date."""
    assert json.loads(finished.dvc("status", "--json").out) == {}
    for room in ("ensemble", "stability"):
        files = sorted((finished.folder / "pipeline" / "lodestone" / room).rglob("*.py"))
        assert files
        texts = {path: path.read_text() for path in files}
        for path, text in texts.items():
            path.write_text(f"{text}\n# A remark.\n")
        changed = json.loads(finished.dvc("status", "--json").out)
        assert "ensemble@round_0" in changed
        assert not [name for name in changed if name.startswith("train@")], changed
        for path, text in texts.items():
            path.write_text(text)
