"""Train, combine and calibrate an ensemble on a large table; a call that was stopped goes on where it was."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from lodestone.crystals.encoding import decode
from lodestone.ensemble.combine import combine_views
from lodestone.ensemble.out_of_distribution import OutOfDistribution, familiar_within, system_of
from lodestone.ensemble.predictor import save_predictors
from lodestone.ensemble.seen_systems import SeenSystems
from lodestone.models.datasets import latents
from lodestone.models.registry import latent_view
from lodestone.models.weights import SavedView, load_view, save_view
from lodestone.pretraining.data import read_training_table
from lodestone.pretraining.settings import PretrainingSettings
from lodestone.runtime.seeds import child_generator, child_seed
from lodestone.substitution.unrelaxed import UnrelaxedStructures
from lodestone.tables.files import read_json, read_table, write_atomically, write_json, write_table
from lodestone.tables.layout import RoundLayout
from lodestone.tables.subsets import HELD_OUT, subset
from lodestone.training.train import train_view

_CENTERS = 500  # of clusters of latent vectors, at most
_FEWEST = 3  # crystals in a cluster: no single one can be read from the shipped file
_WORK = "work"  # below the folder of the result


@dataclass(frozen=True)
class Pretrained:
    """A finished ensemble.

    Attributes:
        folder: Networks, ``ensemble.json`` and ``out_of_distribution.safetensors``, as a round has them.
        crystals: What was learned from and tested on.
        predictions: Contract :class:`lodestone.schemas.Predictions`.
    """

    folder: Path
    crystals: pl.DataFrame
    predictions: pl.DataFrame


def pretrain(table: Path, settings: PretrainingSettings, out: Path) -> Pretrained:
    """Make an ensemble.

    Args:
        table: Crystals with formation energies, see :func:`lodestone.pretraining.data.read_training_table`.
        settings: What decides the result.
        out: Folder of the result; what a later call goes on from is in ``work`` below it.

    Raises:
        LodestoneError: If the table cannot be used.
    """
    work = RoundLayout(out / _WORK)
    crystals = read_training_table(table, settings, work.folder)
    for view in settings.views:
        _train(view, settings, crystals, work)
    predictions = _combine(settings, crystals, work)
    for name in ("models", work.ensemble.name, work.out_of_distribution.name):
        _copy(work.folder / name, out / name)
    return Pretrained(out, crystals, predictions)


def _train(view: str, settings: PretrainingSettings, crystals: pl.DataFrame, work: RoundLayout) -> None:
    stamped = work.models(view) / "trained.json"
    stamp = {"view": settings.views[view].model_dump(mode="json"), "data": read_json(work.folder / "data.json")}
    if stamped.is_file() and read_json(stamped) == stamp:
        return
    seed, shared = (child_seed(settings.seed, "pretraining", name) for name in (view, "structure"))
    trained = train_view(view, settings.views[view], crystals, None, seed, structures_seed=shared)
    save_view(trained.saved, work.models(view))
    write_table(trained.predictions, work.member_predictions(view))
    write_atomically(work.history(view), trained.history.write_csv)
    write_json(stamp, stamped)


def _combine(settings: PretrainingSettings, crystals: pl.DataFrame, work: RoundLayout) -> pl.DataFrame:
    """Weights, calibration and what is out of distribution, from the held-out crystals; returns their predictions."""
    judge = latent_view(list(settings.views))
    combination = combine_views(
        {view: read_table(work.member_predictions(view)) for view in settings.views},
        crystals,
        load_view(work.models(judge)) if judge else None,
        child_seed(settings.seed, "pretraining", "structure"),
        strategy=settings.ensemble.aggregation,
        group="chemsys" if settings.split.by == "chemsys" else "formula_pretty",
        fit_seen=partial(_out_of_distribution, seed=settings.seed),
    )
    save_predictors(combination.predictors, work.ensemble)
    combination.seen.save(work.out_of_distribution)
    evaluations = combination.evaluations
    write_json({name: evaluation.metrics for name, evaluation in evaluations.items()}, work.folder / "metrics.json")
    table = pl.concat(evaluation.table for evaluation in evaluations.values())
    write_table(table, work.predictions, sort_by=["material_id", "input_structure"])
    return read_table(work.predictions)


def _out_of_distribution(
    saved: SavedView | None,
    crystals: pl.DataFrame,
    unrelaxed: UnrelaxedStructures,
    points: Mapping[str, np.ndarray],
    seed: int,
) -> tuple[OutOfDistribution, dict[str, list[str]]]:
    """What the training crystals were like, with the centers of clusters in place of single latent vectors."""
    held_out, train = subset(crystals, *HELD_OUT), decode(subset(crystals, "train"))
    groups = {"relaxed": UnrelaxedStructures(held_out, decode(held_out)), "unrelaxed": unrelaxed}
    centers = _centers(latents(saved, train), seed)
    empty = OutOfDistribution(SeenSystems.of(map(system_of, train)), centers, {})
    watched = {name: points[name][(group.table["split"] == "validation").to_numpy()] for name, group in groups.items()}
    seen = replace(empty, thresholds={name: familiar_within(vectors, centers) for name, vectors in watched.items()})
    return seen, {name: seen.reasons(group.crystals, points[name], name) for name, group in groups.items()}


def _centers(vectors: np.ndarray, seed: int) -> np.ndarray:
    from scipy.cluster.vq import kmeans2

    if not vectors.shape[1]:
        return vectors
    number = max(1, min(_CENTERS, len(vectors) // (2 * _FEWEST)))
    generator = child_generator(seed, "pretraining", "centers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of clusters that lose all their crystals
        centers, cluster = kmeans2(vectors.astype(float), number, minit="points", seed=generator)
    kept = np.bincount(cluster, minlength=number) >= _FEWEST
    return np.ascontiguousarray(centers[kept], dtype=np.float32)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("trained.json"))
    else:
        shutil.copyfile(source, target)
