"""Later rounds learn what was verified, and some of what their networks know already."""

import polars as pl
import pytest

from lodestone.models.weights import save_view
from lodestone.training import train
from lodestone.training.rehearsal import rehearsal


@pytest.fixture
def grown(known):
    """Known crystals of which a round has verified seven."""
    verified = known.filter(pl.col("split") == "train")["material_id"].sample(7, seed=1).implode()
    is_verified = pl.col("material_id").is_in(verified)
    return known.with_columns(origin=pl.when(is_verified).then(pl.lit("round_0")).otherwise(pl.lit("snapshot"))).sort(
        "material_id"
    )


def part(grown):
    return grown.filter(pl.col("split") == "train")


def test_all_that_was_verified_is_learned_and_so_many_others_again(grown):
    train_rows = part(grown)
    chosen = rehearsal(train_rows, 20, seed=3)
    assert len(chosen) == 27
    assert set(part(grown).filter(pl.col("origin") == "round_0")["material_id"]) <= set(chosen["material_id"])
    assert chosen["material_id"].is_sorted()
    assert chosen["material_id"].is_unique().all()
    assert not chosen.equals(rehearsal(train_rows, 20, seed=4))
    assert chosen.equals(rehearsal(train_rows, 20, seed=3))


@pytest.mark.parametrize("rehearsed", [None, 10_000])
def test_all_are_learned_where_no_number_is_given_or_there_are_no_more(rehearsed, grown):
    assert rehearsal(part(grown), rehearsed, seed=3).equals(part(grown))


@pytest.mark.slow
@pytest.mark.parametrize("view", ["composition", "structure"])
@pytest.mark.parametrize(("other_labels", "learned"), [(False, 27), (True, None)])
def test_only_networks_of_the_round_before_rehearse(view, other_labels, learned, *, grown, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    monkeypatch.chdir(tmp_path)
    seen, prepare = [], train.TrainingData.prepare

    def watched(*arguments):
        seen.append(len(arguments[2].crystals))
        return prepare(*arguments)

    monkeypatch.setattr(train.TrainingData, "prepare", watched)
    params = tiny[view].model_copy(update={"epochs": 1, "fine_tune_epochs": 1, "rehearsed": 20})
    save_view(train.fit_view(view, params, grown, None, 5), tmp_path / "networks")
    train.train_view(view, params, grown, tmp_path / "networks", 6, other_labels=other_labels)
    every = len(part(grown))
    assert seen == [every, learned or every]
