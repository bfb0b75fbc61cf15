"""Predictions in pieces are those at once, to the bit, also when they are made by a Dask cluster."""

import numpy as np
import polars as pl
import pytest

from dask_tasks import choose_dask, dask_workers
from lodestone.crystals.encoding import decode
from lodestone.ensemble.out_of_distribution import neighbor_distances
from lodestone.ensemble.pieces import joined, predict_in_pieces
from lodestone.ensemble.predictor import FORMULA
from lodestone.reference.networks import train_ensemble

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ensemble(known, tiny, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LODESTONE_CHECKPOINTS", str(tmp_path_factory.mktemp("checkpoints")))
        return train_ensemble(known, tiny, seed=3)


@pytest.fixture(scope="module")
def crystals(pytestconfig):
    rows = pl.read_parquet(pytestconfig.rootpath / "reference" / "crystals.parquet")
    return decode(rows.filter(pl.col("nsites") <= 6).sample(1100, seed=1))


@pytest.fixture(scope="module")
def at_once(ensemble, crystals):
    return ensemble.predict(crystals, "unrelaxed")


def test_pieces_of_whole_batches_are_the_same_to_the_bit(ensemble, crystals, at_once):
    pieces = [ensemble.predict(crystals[start : start + 512], "unrelaxed") for start in range(0, len(crystals), 512)]
    assert joined(pieces).columns().equals(at_once.columns())
    assert all(np.array_equal(joined(pieces).weights[view], weights) for view, weights in at_once.weights.items())


def test_all_cores_predict_the_same_to_the_bit(ensemble, crystals, at_once):
    assert predict_in_pieces(ensemble, crystals, "unrelaxed", piece=512).columns().equals(at_once.columns())
    formulas = predict_in_pieces(ensemble, crystals, FORMULA, piece=512)
    assert formulas.columns().equals(ensemble.predict_formulas(crystals).columns())


def test_latent_vectors_are_in_units_of_what_is_far(ensemble, crystals):
    vectors = ensemble.latents(crystals[:100], "unrelaxed")
    known = ensemble.seen.latents / ensemble.seen.thresholds["unrelaxed"]
    far = ["latent" in reasons for reasons in ensemble.predict(crystals[:100], "unrelaxed").out_of_distribution]
    assert (neighbor_distances(vectors, known) > 1).tolist() == far
    assert 0 < sum(far) < 100


def test_a_dask_cluster_predicts_the_same_to_the_bit(ensemble, crystals, at_once, monkeypatch):
    with dask_workers(2) as cluster:
        choose_dask(monkeypatch, cluster.scheduler_address)
        predicted = predict_in_pieces(ensemble, crystals, "unrelaxed", piece=512)
    assert predicted.columns().equals(at_once.columns())
