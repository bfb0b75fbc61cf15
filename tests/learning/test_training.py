"""From known crystals to an ensemble on disk and back."""

import numpy as np
import polars as pl
import pytest

from pipeline.crystals.encoding import decode
from pipeline.errors import LodestoneError
from pipeline.layout import RoundLayout
from pipeline.learning.combine import combine_views
from pipeline.learning.ensemble import load_ensemble, predict_members
from pipeline.learning.storage import save_view
from pipeline.learning.train import train_view
from pipeline.schemas import MemberPredictions
from pipeline.tables import validated, write_json

VIEWS = ("composition", "structure")


@pytest.fixture(scope="module")
def trained(known, tiny):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LODESTONE_WORKERS", "1")
        return {view: train_view(view, tiny[view], known, None, seed=11) for view in VIEWS}


@pytest.fixture(scope="module")
def round_folder(trained, known, tmp_path_factory):
    """The folder of a round as its stages leave it; with it what the ensemble stage computed."""
    files = RoundLayout(tmp_path_factory.mktemp("data") / "round_0")
    for view in VIEWS:
        save_view(trained[view].saved, files.models(view))
    combination, table, _ = combine_views(*(trained[view].predictions for view in VIEWS), known)
    write_json(combination.as_dict(), files.ensemble)
    return files, table


@pytest.mark.parametrize("view", VIEWS)
def test_every_member_predicts_every_unseen_crystal(view, trained, known, tiny, tmp_path):
    rows = validated(trained[view].predictions, MemberPredictions, tmp_path)
    unseen = known.filter(pl.col("split").is_in(["validation", "test"]))
    assert rows.group_by("member").len().sort("member").rows() == [(0, len(unseen)), (1, len(unseen))]
    assert set(rows.select("material_id", "split").iter_rows()) == set(
        unseen.select("material_id", "split").iter_rows()
    )
    members = rows.sort("material_id").partition_by("member", maintain_order=True)
    first, second = (part["formation_energy_per_atom_pred"].to_numpy() for part in members)
    assert np.abs(first - second).mean() > 1e-4  # members differ, else there is no spread
    assert len(trained[view].history) == tiny[view].members * tiny[view].epochs


def test_the_ensemble_on_disk_predicts_what_the_stages_wrote(trained, known, round_folder):
    files, table = round_folder
    ensemble = load_ensemble(files.folder)
    rows = known.filter(pl.col("split").is_in(["validation", "test"])).sort("material_id", descending=True)
    found = ensemble.predict(decode(rows))
    written = rows.select("material_id").join(table, on="material_id", maintain_order="left")
    columns = {"mean": "pred", "composition": "pred_composition", "structure": "pred_structure", "std": "epistemic_std"}
    for name, column in columns.items():
        expected = written[f"formation_energy_per_atom_{column}"].to_numpy()
        assert getattr(found, name) == pytest.approx(expected, abs=1e-5, rel=1e-6)


def test_predictions_are_the_combination_of_the_members(trained, known, round_folder):
    crystals = decode(known.head(20))
    ensemble = load_ensemble(round_folder[0].folder)
    members = {view: predict_members(trained[view].saved, crystals) for view in VIEWS}
    assert members["structure"].shape == (2, 20)
    expected = ensemble.combination.combine(members["composition"], members["structure"])
    found = ensemble.predict(crystals)
    assert np.array_equal(found.mean, expected.mean)
    assert np.array_equal(found.std, expected.std)


def test_a_warm_start_of_another_size_is_refused(known, tiny, round_folder):
    wider = tiny["composition"].model_copy(update={"width": 32})
    with pytest.raises(LodestoneError, match=r"another size than params\.yaml"):
        train_view("composition", wider, known, round_folder[0].models("composition"), seed=1)


def test_a_missing_warm_start_is_named(known, tiny, tmp_path):
    with pytest.raises(LodestoneError, match=r"nowhere/config\.json cannot be read"):
        train_view("composition", tiny["composition"], known, tmp_path / "nowhere", seed=1)
