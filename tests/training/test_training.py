"""From known crystals to an ensemble on disk and back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from lodestone.crystals.compositions import N_ELEMENTS, atomic_fractions
from lodestone.crystals.encoding import decode
from lodestone.ensemble.combine import combine_views
from lodestone.ensemble.ensemble import load_ensemble
from lodestone.ensemble.evaluate import held_out_latents
from lodestone.ensemble.predictor import save_predictors
from lodestone.errors import LodestoneError
from lodestone.models import datasets
from lodestone.models.datasets import latents, shown
from lodestone.models.inference import NetworkInputs, predict_members
from lodestone.models.registry import make_dataset
from lodestone.models.weights import save_view
from lodestone.schemas import INPUT_STRUCTURES, MemberPredictions, view_column
from lodestone.substitution.unrelaxed import UnrelaxedStructures, unrelaxed_held_out
from lodestone.tables.files import validated
from lodestone.tables.layout import RoundLayout
from lodestone.training.data import LabelledCrystals, examples_of
from lodestone.training.train import _labelled, _predictions, train_view
from lodestone.training.warm_start import to_other_labels

pytestmark = pytest.mark.slow

VIEWS = ("composition", "structure")


@pytest.fixture(scope="module")
def trained(known, tiny, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LODESTONE_WORKERS", "1")
        patch.chdir(tmp_path_factory.mktemp("cwd"))
        patch.delenv("LODESTONE_CHECKPOINTS", raising=False)
        made = {view: train_view(view, tiny[view], known, None, seed=11) for view in VIEWS}
        assert not list(Path(".lodestone/checkpoints").iterdir())  # nothing is left of a training that ended well
        return made


@pytest.fixture(scope="module")
def round_folder(trained, known, tmp_path_factory):
    """The folder of a round as its stages leave it; with it what the ensemble stage computed."""
    files = RoundLayout(tmp_path_factory.mktemp("data") / "round_0")
    for view in VIEWS:
        save_view(trained[view].saved, files.models(view))
    members = {view: trained[view].predictions for view in VIEWS}
    combination = combine_views(members, known, trained["structure"].saved, structures_seed=11)
    save_predictors(combination.predictors, files.ensemble)
    combination.seen.save(files.out_of_distribution)
    return files, {input_structure: found.table for input_structure, found in combination.evaluations.items()}


@pytest.mark.parametrize("view", VIEWS)
def test_every_member_predicts_every_unseen_crystal(view, trained, known, tiny, tmp_path):
    predicted = validated(trained[view].predictions, MemberPredictions, tmp_path)
    rows = predicted.filter(pl.col("input_structure") == "relaxed")
    held_out = known.filter(pl.col("split").is_in(["validation", "test"]))
    assert rows.group_by("member").len().sort("member").rows() == [(0, len(held_out)), (1, len(held_out))]
    assert set(rows.select("material_id", "split").iter_rows()) == set(
        held_out.select("material_id", "split").iter_rows()
    )
    members = rows.sort("material_id").partition_by("member", maintain_order=True)
    first, second = (part["formation_energy_per_atom_pred"].to_numpy() for part in members)
    assert np.abs(first - second).mean() > 1e-4  # members differ, else there is no spread
    assert len(trained[view].history) == tiny[view].members * tiny[view].epochs


def test_only_the_structure_view_tells_a_guess_from_the_relaxed_crystal(trained, known):
    unrelaxed_structures = unrelaxed_held_out(known, 11)
    assert 10 < len(unrelaxed_structures.crystals) < len(known)
    assert set(trained["composition"].predictions["input_structure"]) == {"relaxed"}
    parts = trained["structure"].predictions.partition_by("input_structure", as_dict=True)
    unrelaxed_structure, relaxed = parts["unrelaxed",], parts["relaxed",]
    assert sorted(set(unrelaxed_structure["material_id"])) == unrelaxed_structures.table["material_id"].to_list()
    both = unrelaxed_structure.join(relaxed, on=["material_id", "member"])
    name = "formation_energy_per_atom_pred"
    assert (both[name] - both[f"{name}_right"]).abs().mean() > 1e-3


def test_histories_tell_errors_on_relaxed_and_on_unrelaxed_structures(trained, known):
    curves = trained["structure"].history
    assert {"train_mae", "validation_mae", "validation_mae_unrelaxed"} < set(curves.columns)
    assert "validation_mae_unrelaxed" not in trained["composition"].history.columns
    name = "formation_energy_per_atom"
    validation = known.filter(pl.col("split") == "validation").select("material_id", name)
    joined = trained["structure"].predictions.join(validation, on="material_id")
    for input_structure, column in (("relaxed", "validation_mae"), ("unrelaxed", "validation_mae_unrelaxed")):
        shown = joined.filter((pl.col("input_structure") == input_structure) & (pl.col("member") == 0))
        mae = (shown[f"{name}_pred"] - shown[name]).abs().mean()
        last = curves.filter(pl.col("member") == 0).sort("epoch")[column][-1]
        assert last == pytest.approx(mae, rel=1e-5)


def test_guesses_of_held_out_crystals_come_from_training_crystals(known):
    """Moving the atoms of held-out crystals changes no unrelaxed structure; without training crystals there is none."""
    here = unrelaxed_held_out(known, 11)
    spoilt = pl.when(pl.col("split") == "train").then(pl.col("lattice")).otherwise(pl.col("lattice") * 1.3)
    moved = unrelaxed_held_out(known.with_columns(spoilt), 11)
    assert [crystal.digest() for crystal in moved.crystals] == [crystal.digest() for crystal in here.crystals]
    train, size = pl.col("split") == "train", here.table["nsites"].mode()[0]
    assert set(unrelaxed_held_out(known.filter(~train | (pl.col("nsites") == size)), 11).table["nsites"]) == {size}


@pytest.mark.parametrize("view", VIEWS)
def test_predictions_carry_the_latent_vectors_of_the_first_member(view, trained, known):
    structures = unrelaxed_held_out(known, 11)
    points = held_out_latents(trained[view].predictions.sample(fraction=1.0, shuffle=True, seed=1), known, structures)
    relaxed = decode(known.filter(pl.col("split").is_in(["validation", "test"])).sort("material_id"))
    for name, crystals in (("relaxed", relaxed), ("unrelaxed", structures.crystals)):
        assert points[name] == pytest.approx(latents(trained[view].saved, crystals, name), abs=1e-5)
    others = trained[view].predictions.filter(pl.col("member") > 0)
    assert others["latent"].null_count() == len(others) > 0


def test_where_no_crystal_has_an_unrelaxed_structure_only_relaxed_ones_are_predicted(trained, known):
    none, saved = UnrelaxedStructures(known.clear(), []), trained["structure"].saved
    watched = _labelled(known.filter(pl.col("split") == "validation").sort("material_id"))
    validation = examples_of("structure", saved.params, watched, saved.baseline)
    predicted = _predictions(saved, validation, known, none)
    assert set(predicted["input_structure"]) == {"relaxed"}
    points = held_out_latents(predicted, known, none)
    assert len(points["unrelaxed"]) == 0 < len(points["relaxed"])


@pytest.mark.parametrize("view", VIEWS)
def test_no_graph_of_a_watched_crystal_is_built_again(view, trained, known, monkeypatch):
    """And the predictions are those of graphs that are."""
    saved, structures = trained[view].saved, unrelaxed_held_out(known, 11) if view == "structure" else None
    watched = _labelled(known.filter(pl.col("split") == "validation").sort("material_id"))
    if structures is not None:
        guesses = dict(zip(structures.table["material_id"], structures.crystals, strict=True))
        names = known.filter(pl.col("split") == "validation").sort("material_id")["material_id"]
        watched = replace(watched, unrelaxed_structures=[guesses.get(name) for name in names])
    validation, built = examples_of(view, saved.params, watched, saved.baseline), []
    make = datasets.build_dataset
    monkeypatch.setattr(datasets, "build_dataset", lambda *given: built.append(len(given[1])) or make(*given))
    predicted = _predictions(saved, validation, known, structures)
    tables = [known] if structures is None else [known, structures.table]
    assert built == [(table["split"] == "test").sum() for table in tables]
    keys = ["material_id", "input_structure", "member"]
    both = predicted.join(trained[view].predictions, on=keys, validate="1:1")
    assert len(both) == len(predicted) == len(trained[view].predictions)
    energies = both["formation_energy_per_atom_pred"], both["formation_energy_per_atom_pred_right"]
    assert energies[0].to_numpy() == pytest.approx(energies[1].to_numpy(), abs=1e-5)


def test_without_a_view_that_has_latent_vectors_they_have_no_width(known):
    structures = unrelaxed_held_out(known, 11)
    points = held_out_latents(None, known, structures)
    assert points["relaxed"].shape[1] == points["unrelaxed"].shape[1] == 0
    assert len(points["unrelaxed"]) == len(structures.crystals)


@pytest.mark.parametrize("view", VIEWS)
def test_all_cores_say_what_one_says(view, trained, known, monkeypatch):
    crystals = decode(known.head(600))
    at_once = NetworkInputs.to(trained[view].saved, crystals, "unrelaxed").shown()
    monkeypatch.setattr(datasets, "PIECE", 100)
    monkeypatch.setattr(datasets, "_SHOWN", 256)
    in_pieces = shown(trained[view].saved, crystals, "unrelaxed")
    assert np.array_equal(in_pieces.members, at_once.members)
    assert np.array_equal(in_pieces.latents, at_once.latents)


def test_without_guesses_the_mark_is_not_set(known, tiny):
    plain = tiny["structure"].model_copy(update={"unrelaxed": 0.0})
    crystals = decode(known.head(6))
    for params, expected in ((tiny["structure"], [0, 1, 0, 1, 0, 1]), (plain, [0] * 6)):
        dataset = make_dataset("structure", crystals, params, [False, True] * 3)
        assert dataset.batch(torch.arange(6)).unrelaxed.tolist() == expected


@pytest.mark.parametrize("input_structure", INPUT_STRUCTURES)
def test_the_ensemble_on_disk_predicts_what_the_stages_wrote(trained, known, round_folder, input_structure):
    files, tables = round_folder
    ensemble = load_ensemble(files.folder)
    unrelaxed_structures = unrelaxed_held_out(known, 11)
    rows = known.filter(pl.col("split").is_in(["validation", "test"])).sort("material_id", descending=True)
    shown = {"relaxed": (rows, decode(rows)), "unrelaxed": (unrelaxed_structures.table, unrelaxed_structures.crystals)}
    rows, crystals = shown[input_structure]
    table = tables[input_structure]
    found = ensemble.predict(crystals, input_structure)
    written = rows.select("material_id").join(table, on="material_id", maintain_order="left")
    assert list(found.views) == list(VIEWS)
    for view, mean in found.views.items():
        assert mean == pytest.approx(written[view_column(view)].to_numpy(), abs=1e-5, rel=1e-6)
    columns = {"mean": "pred", "spread": "epistemic_std", "std": "std", "lower": "lower", "upper": "upper"}
    for name, column in columns.items():
        expected = written[f"formation_energy_per_atom_{column}"].to_numpy()
        assert getattr(found, name) == pytest.approx(expected, abs=1e-5, rel=1e-6)
    assert found.out_of_distribution == written["out_of_distribution"].to_list()
    assert 0 < sum(told != "" for told in found.out_of_distribution) < len(rows)


def test_what_validation_refuses_is_not_predicted(round_folder, known):
    ensemble = load_ensemble(round_folder[0].folder)
    (salt,) = decode(known.filter(pl.col("nsites") == 2).head(1))
    overlapping = replace(salt, frac_coords=np.zeros((2, 3)))
    with pytest.raises(LodestoneError, match=r"crystal 1 \(.*\) cannot be predicted: atoms are 0.000 Å apart"):
        ensemble.predict([salt, overlapping])


def test_predictions_are_the_combination_of_the_members(trained, known, round_folder):
    crystals = decode(known.head(20))
    ensemble = load_ensemble(round_folder[0].folder)
    members = {view: predict_members(trained[view].saved, crystals) for view in VIEWS}
    assert members["structure"].shape == (2, 20)
    expected = ensemble.predictors["relaxed"].aggregation.aggregate(members)
    found = ensemble.predict(crystals)
    assert np.array_equal(found.mean, expected.mean)
    assert np.array_equal(found.spread, expected.spread)


def test_latent_vectors_are_those_of_the_first_member(trained, known):
    crystals = decode(known.head(20))
    saved = trained["structure"].saved
    found = latents(saved, crystals)
    assert found.shape == (20, saved.params.width)
    assert np.ptp(found, axis=0).max() > 1e-3
    assert not np.allclose(latents(replace(saved, members=saved.members[::-1]), crystals), found)
    assert np.allclose(latents(saved, crystals[::-1])[::-1], found, atol=1e-4)
    assert len(latents(saved, [])) == 0  # as where no held-out crystal can be shown unrelaxed


def test_a_warm_start_of_another_size_is_refused(known, tiny, round_folder):
    wider = tiny["composition"].model_copy(update={"width": 32})
    with pytest.raises(LodestoneError, match=r"member_0\.safetensors does not fit .* is \(16,\), should be \(32,\)"):
        train_view("composition", wider, known, round_folder[0].models("composition"), seed=1)


def test_a_missing_warm_start_is_named(known, tiny, tmp_path):
    with pytest.raises(LodestoneError, match=r"nowhere/config\.json cannot be read"):
        train_view("composition", tiny["composition"], known, tmp_path / "nowhere", seed=1)


def test_a_warm_start_with_other_labels_is_moved_by_a_sum_over_elements(trained, known):
    """Labels that differ by 0.3 eV per oxygen atom, and so on, are matched before the first step."""
    saved, rows = trained["structure"].saved, known.filter(pl.col("split") == "train")
    crystals = decode(rows)
    shifts = np.linspace(-0.5, 0.5, N_ELEMENTS)
    known_to_it = predict_members(saved, crystals).mean(axis=0)
    fractions = atomic_fractions([crystal.atomic_numbers for crystal in crystals])
    moved = to_other_labels(saved, LabelledCrystals(crystals, known_to_it + fractions @ shifts))
    before, after = (
        np.abs(predict_members(one, crystals).mean(axis=0) - known_to_it - fractions @ shifts).mean()
        for one in (saved, moved)
    )
    assert after < 0.25 * before  # not all of it: few crystals, and a ridge
    assert moved.baseline.scale == saved.baseline.scale
    assert moved.members is saved.members
