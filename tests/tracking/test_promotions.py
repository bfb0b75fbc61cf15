"""Aliases and the records of decisions: who becomes the champion, who does not, and how that is taken back."""

import json
import shutil

import polars as pl
import pytest
from test_moved import as_a_new_process_would

from lodestone.errors import LodestoneError
from lodestone.schemas import Predictions
from lodestone.tables.files import read_table, write_json, write_table
from lodestone.tables.layout import METRICS, Layout
from lodestone.tracking.promotions import APPLIED, DECISIONS, OUTCOME, decisions, promote, rollback
from lodestone.tracking.registry import MODEL, by_alias, champion
from lodestone.tracking.store import publish

pytestmark = pytest.mark.slow


def aliases(registry) -> dict[str, int]:
    every = ("candidate", "champion", "previous")
    return {alias: int(version.version) for alias in every if (version := by_alias(registry, alias)) is not None}


def next_campaign(root, params, factor: float = 1.0) -> None:
    """Other predictions, and so another campaign: errors and intervals ``factor`` times as large."""
    energy = "formation_energy_per_atom"
    columns = [f"{energy}_{name}" for name in ("pred", "lower", "upper")]
    for name in params.rounds:
        path = Layout(root / "data").round(name).predictions
        table = read_table(path, Predictions)
        scaled = [(pl.col(energy) + (pl.col(column) - pl.col(energy)) * factor).alias(column) for column in columns]
        write_table(table.with_columns(scaled), path, Predictions)


def test_the_first_candidate_is_the_round_with_the_least_validation_error(published, registry):
    assert aliases(registry) == {"candidate": 1, "champion": 1}
    (decision,) = decisions(published)
    assert (decision["outcome"], decision["candidate"]["round"], decision["champion"]) == ("first", "round_0", None)


@pytest.mark.slow
def test_a_better_candidate_is_promoted_and_a_worse_one_is_not(published, params, registry):
    next_campaign(published, params, 0.3)
    decision = publish(published, params)["decision"]
    assert decision["outcome"] == "promoted"
    assert aliases(registry) == {"candidate": 3, "champion": 3, "previous": 1}
    assert (decision["candidate"]["version"], decision["champion"]["version"]) == (3, 1)
    assert decision["thresholds"] == params.promotion.model_dump(mode="json")
    assert len(decision["reasons"]) == len(decision["criteria"]) == 4
    version = registry.get_model_version(MODEL, "3")
    kept = registry.list_artifacts(version.run_id, "decisions")
    assert json.loads(_download(registry, version.run_id, kept[0].path)) == decision

    next_campaign(published, params, 2.0)
    decision = publish(published, params)["decision"]
    assert decision["outcome"] == "refused"
    assert "not better beyond noise" in decision["reasons"][0]
    assert aliases(registry) == {"candidate": 5, "champion": 3, "previous": 1}
    assert [one["outcome"] for one in decisions(published)] == ["refused", "promoted", "first"]


def _download(client, run_id, path):
    with open(client.download_artifacts(run_id, path)) as lines:
        return lines.read()


def test_a_promotion_is_rolled_back_for_good(published, params, registry):
    next_campaign(published, params, 0.3)
    publish(published, params)
    decision = rollback(published, "its users complain")
    assert (decision["outcome"], decision["reasons"]) == ("rolled back", ["its users complain"])
    assert aliases(registry) == {"candidate": 3, "champion": 1}
    assert not publish(published, params)["created"]
    assert aliases(registry) == {"candidate": 3, "champion": 1}
    with pytest.raises(LodestoneError, match=r"no champion before version 1\n.*lodestone promote"):
        rollback(published, "again")
    assert [one["outcome"] for one in decisions(published)] == ["rolled back", "promoted", "first"]


def test_a_version_is_promoted_by_hand(published, registry):
    assert promote(published, 2, "to try it")["outcome"] == "by hand"
    assert aliases(registry) == {"candidate": 1, "champion": 2, "previous": 1}
    with pytest.raises(LodestoneError, match="version 2 is the champion already"):
        promote(published, 2, "again")
    with pytest.raises(LodestoneError, match=r"no version 9 (.|\n)*there are: 1, 2"):
        promote(published, 9, "a typing error")


def test_labels_of_another_oracle_are_not_compared(published, params, registry):
    write_json({"name": "other", "settings": {}, "versions": {}}, Layout(published / "data").oracle)
    decision = publish(published, params)["decision"]
    assert decision["outcome"] == "incomparable"
    assert "labels of other" in decision["reasons"][0]
    assert "lodestone promote 3" in decision["reasons"][0]
    assert aliases(registry) == {"candidate": 3, "champion": 1}


def test_a_champion_of_an_older_schema_is_not_compared(published, params, registry):
    for path in (published / "mlruns").rglob("test_predictions.parquet"):
        pl.read_parquet(path).drop("hull_energy_per_atom").write_parquet(path)
    next_campaign(published, params, 0.3)
    decision = publish(published, params)["decision"]
    assert decision["outcome"] == "incomparable"
    assert "no test predictions of this format" in decision["reasons"][0]
    assert aliases(registry) == {"candidate": 3, "champion": 1}


def test_a_registry_without_a_champion(published, params, registry):
    registry.delete_registered_model_alias(MODEL, "champion")
    with pytest.raises(LodestoneError, match="no champion"):
        rollback(published, "why not")
    with pytest.raises(LodestoneError, match="no champion"):
        champion(published)
    next_campaign(published, params, 1.5)
    assert publish(published, params)["decision"]["outcome"] == "first"
    assert aliases(registry) == {"candidate": 3, "champion": 3}


@pytest.mark.parametrize("place", ["_judgment", "_apply", "_set_champion"])
def test_a_decision_that_was_interrupted_is_made_once(published, params, registry, monkeypatch, place):
    next_campaign(published, params, 0.3)
    with monkeypatch.context() as patch:
        patch.setattr(f"lodestone.tracking.promotions.{place}", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            publish(published, params)
    assert aliases(registry)["champion"] == 1
    assert not publish(published, params)["created"]
    assert aliases(registry) == {"candidate": 3, "champion": 3, "previous": 1}
    assert [one["outcome"] for one in decisions(published)] == ["promoted", "first"]


def _interrupt(*_):
    raise KeyboardInterrupt


def test_a_champion_that_has_lost_its_files_stays_the_champion(published, params, registry):
    before = decisions(published)
    shutil.rmtree(published / "mlruns" / "models")
    assert publish(as_a_new_process_would(published), params)["created"]
    assert aliases(registry) == {"candidate": 3, "champion": 3}
    assert champion(published)["lodestone.round"] == "round_0"
    assert decisions(published) == before


def test_a_champion_of_before_decisions_were_recorded_stays_in_another_format(published, params, registry):
    for name in (DECISIONS, OUTCOME, APPLIED):
        registry.delete_model_version_tag(MODEL, "1", name)
    experiment = registry.get_experiment_by_name("lodestone").experiment_id
    for run in registry.search_runs([experiment]):
        registry.delete_tag(run.info.run_id, "lodestone.format")
    receipt = publish(published, params)
    assert receipt["created"]
    assert receipt["decision"]["outcome"] == "first"
    assert aliases(registry) == {"candidate": 3, "champion": 3}
    assert len(registry.search_runs([experiment])) == 7


def test_better_by_validation_alone_is_no_reason(published, params, registry):
    errors = {"ensemble": {"mae": 0.01, "rmse": 0.02, "n": 5}}
    for name in params.rounds:
        write_json({"n_train": 9, "validation": errors, "test": errors}, published / METRICS / name / "ensemble.json")
    assert publish(published, params)["decision"]["outcome"] == "refused"
    assert aliases(registry)["champion"] == 1
