"""Combine the views, calibrate their errors on the validation crystals, and measure both on the test crystals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from lodestone.config.registry import VIEWS
from lodestone.config.sections import GeometryParams, Section
from lodestone.crystals.compositions import atomic_fractions
from lodestone.crystals.encoding import decode
from lodestone.ensemble.calibration import ENOUGH, Calibration
from lodestone.ensemble.metrics import errors, stability_scores
from lodestone.ensemble.out_of_distribution import OutOfDistribution, remembered
from lodestone.ensemble.predictor import FORMULA, Aggregation, EnsemblePredictor, Prediction
from lodestone.ensemble.reliability import probability_scores, uncertainty_scores
from lodestone.ensemble.strategies import Members
from lodestone.models.datasets import latents
from lodestone.models.inference import no_latents
from lodestone.models.weights import SavedView
from lodestone.stability.hull import ConvexHull
from lodestone.substitution.unrelaxed import UnrelaxedStructures
from lodestone.tables.subsets import HELD_OUT, subset

_ENERGY = "formation_energy_per_atom"

Reasons = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Evaluation:
    """All views combined.

    Attributes:
        predictor: How they are combined, with the calibration.
        table: Contract :class:`lodestone.schemas.Predictions`.
        metrics: Errors, calibration and reliability on the validation and the test crystals.
    """

    predictor: EnsemblePredictor
    table: pl.DataFrame
    metrics: dict[str, Any]


def held_out_latents(
    predictions: pl.DataFrame | None, crystals: pl.DataFrame, unrelaxed_structures: UnrelaxedStructures
) -> dict[str, np.ndarray]:
    """Latent vectors of the held-out crystals by input structure, shapes ``(n, width)``; width 0 without predictions.

    Args:
        predictions: Contract :class:`lodestone.schemas.MemberPredictions`, of the view whose latent vectors are
            compared.
        crystals: Known crystals.
        unrelaxed_structures: Those of validation and test crystals.
    """
    tables = {"relaxed": subset(crystals, *HELD_OUT), "unrelaxed": unrelaxed_structures.table}
    return {name: _latents(predictions, table, name) for name, table in tables.items()}


def _latents(predictions: pl.DataFrame | None, rows: pl.DataFrame, input_structure: str) -> np.ndarray:
    if predictions is None or rows.is_empty():
        return no_latents(len(rows))
    said = _for_structure(predictions, input_structure)
    vectors = said.filter(pl.col("latent").is_not_null()).select("material_id", "latent")
    found = rows.select("material_id").join(vectors, on="material_id", how="left", maintain_order="left")["latent"]
    return found.explode().to_numpy().reshape(len(rows), -1)


def fit_out_of_distribution(
    saved: SavedView | None,
    crystals: pl.DataFrame,
    unrelaxed_structures: UnrelaxedStructures,
    points: Mapping[str, np.ndarray],
) -> tuple[OutOfDistribution, Reasons]:
    """Describe the training crystals, and find the held-out crystals that are unlike them.

    Args:
        saved: Networks of the view whose latent vectors are compared; ``None`` compares chemistry only.
        crystals: Known crystals (contract :class:`lodestone.schemas.Crystals`).
        unrelaxed_structures: Those of validation and test crystals.
        points: Of :func:`held_out_latents`.

    Returns:
        A description of the training crystals, and the reasons of each held-out crystal by input structure.
    """
    held_out = subset(crystals, *HELD_OUT)
    structures = {"relaxed": UnrelaxedStructures(held_out, decode(held_out)), "unrelaxed": unrelaxed_structures}
    train = decode(subset(crystals, "train"))
    validating = {name: (group.table["split"] == "validation").to_numpy() for name, group in structures.items()}
    out_of_distribution = OutOfDistribution.fit(
        train,
        latents(saved, [train[row] for row in remembered(len(train))]),
        {name: points[name][rows] for name, rows in validating.items()},
    )
    return out_of_distribution, {
        name: out_of_distribution.reasons(group.crystals, points[name], name) for name, group in structures.items()
    }


def evaluate_input_structures(
    members: Mapping[str, pl.DataFrame],
    crystals: pl.DataFrame,
    *,
    unrelaxed_structures: UnrelaxedStructures,
    out_of_distribution: Reasons,
    strategy: str = "constant",
    group: str = "formula_pretty",
) -> dict[str, Evaluation]:
    """Aggregate and evaluate the views on relaxed and on unrelaxed structures; see :func:`evaluate_views`.

    Unrelaxed structures are predicted with larger errors, so they have weights and a calibration of their own. Where
    too few validation crystals have one to fit these, those of relaxed crystals are used.
    """
    with_unrelaxed = ~pl.col("split").is_in(HELD_OUT) | pl.col("material_id").is_in(
        unrelaxed_structures.table["material_id"].to_list()
    )
    by_structure = {"relaxed": crystals, "unrelaxed": crystals.filter(with_unrelaxed)}
    evaluations: dict[str, Evaluation] = {}
    for input_structure, known in by_structure.items():
        few = int((known["split"] == "validation").sum()) < ENOUGH
        predictor = evaluations["relaxed"].predictor if few and evaluations else None
        evaluations[input_structure] = evaluate_views(
            members,
            known,
            out_of_distribution=out_of_distribution[input_structure],
            strategy=strategy,
            group=group,
            input_structure=input_structure,
            predictor=predictor,
        )
    return evaluations


def fit_formulas(
    members: Mapping[str, pl.DataFrame], crystals: pl.DataFrame, out_of_distribution: Sequence[str], group: str
) -> dict[str, EnsemblePredictor]:
    """The predictor of formulas, from the views that see no atoms; none where there is no such view.

    Args:
        members: By view, contract :class:`lodestone.schemas.MemberPredictions`.
        crystals: Known crystals with their labels.
        out_of_distribution: Reasons of the held-out crystals; only those of chemistry concern a formula.
        group: See :func:`evaluate_views`.
    """
    blind = {view: table for view, table in members.items() if not issubclass(_settings(view), GeometryParams)}
    if not blind:
        return {}
    chemistry = [",".join(name for name in reasons.split(",") if name != "latent") for reasons in out_of_distribution]
    strategy = "constant" if len(blind) > 1 else next(iter(blind))
    evaluation = evaluate_views(blind, crystals, out_of_distribution=chemistry, strategy=strategy, group=group)
    return {FORMULA: evaluation.predictor}


def evaluate_views(
    members: Mapping[str, pl.DataFrame],
    crystals: pl.DataFrame,
    *,
    out_of_distribution: Sequence[str],
    strategy: str = "constant",
    group: str = "formula_pretty",
    input_structure: str = "relaxed",
    predictor: EnsemblePredictor | None = None,
) -> Evaluation:
    """Combine the predictions of all views.

    Args:
        members: By view, contract :class:`lodestone.schemas.MemberPredictions`, all for the same crystals.
        crystals: Known crystals with their labels.
        out_of_distribution: Why validation and test crystals, sorted by ``material_id``, are out of distribution.
        strategy: A name in :data:`lodestone.config.registry.AGGREGATIONS`, or that of a view.
        group: Column whose equal values mark crystals that are held out together.
        input_structure: Input of the views that see atoms: ``relaxed`` or ``unrelaxed``.
        predictor: Use this one instead of fitting one.

    Raises:
        LodestoneError: If there are no validation crystals.
    """
    held_out = subset(crystals, *HELD_OUT)
    arrays = {view: _matrix(_for_structure(table, input_structure), held_out) for view, table in members.items()}
    predictor = predictor or _fitted(arrays, held_out, out_of_distribution, strategy, group)
    prediction = predictor.predict(arrays, out_of_distribution)
    is_validation = (held_out["split"] == "validation").to_numpy()
    weights = {view: weight[is_validation] for view, weight in prediction.weights.items()}
    fitted = {name: value for name, value in predictor.calibration.as_dict().items() if name != "errors"}
    facts = {
        "n_train": int((crystals["split"] == "train").sum()),
        "strategy": strategy,
        "weights": {view: float(weight.mean()) if len(weight) else None for view, weight in weights.items()},
        "calibration": fitted,
    }
    return Evaluation(
        predictor=predictor,
        table=_table(prediction, held_out, input_structure),
        metrics=facts | _metrics(prediction, held_out, crystals),
    )


def _settings(view: str) -> type[Section]:
    return VIEWS.settings_model(view)


def _fitted(
    members: Members,
    held_out: pl.DataFrame,
    out_of_distribution: Sequence[str],
    strategy: str,
    group: str,
) -> EnsemblePredictor:
    """Weights and calibration, fitted on the validation crystals among the held-out ones."""
    true, is_validation = held_out[_ENERGY].to_numpy(), (held_out["split"] == "validation").to_numpy()
    validation = {view: energies[:, is_validation] for view, energies in members.items()}
    aggregation = Aggregation.fit(strategy, validation, true[is_validation])
    average = aggregation.aggregate(validation)
    calibration = Calibration.fit(
        true[is_validation] - average.mean,
        average.spread,
        held_out[group].filter(is_validation).to_list(),
        [reasons for reasons, validating in zip(out_of_distribution, is_validation, strict=True) if validating],
    )
    return EnsemblePredictor(aggregation, calibration)


def _for_structure(predictions: pl.DataFrame, input_structure: str) -> pl.DataFrame:
    """Predictions for an input structure; a view that sees no atoms makes them once, for relaxed crystals."""
    rows = predictions.filter(pl.col("input_structure") == input_structure)
    return predictions.filter(pl.col("input_structure") == "relaxed") if rows.is_empty() else rows


def _matrix(predictions: pl.DataFrame, labels: pl.DataFrame) -> np.ndarray:
    """Predictions as an array of shape ``(members, crystals)`` in the order of the labels."""
    wide = predictions.pivot(
        on="member", index="material_id", values="formation_energy_per_atom_pred", sort_columns=True
    )
    ordered = labels.select("material_id").join(wide, on="material_id", how="left", maintain_order="left")
    return ordered.drop("material_id").to_numpy().T


def _table(prediction: Prediction, held_out: pl.DataFrame, input_structure: str) -> pl.DataFrame:
    known = held_out.select("material_id", pl.lit(input_structure).alias("input_structure"), "split", _ENERGY)
    return known.hstack(prediction.columns())


def _metrics(prediction: Prediction, held_out: pl.DataFrame, crystals: pl.DataFrame) -> dict[str, Any]:
    """Per split: errors of each view and of the ensemble, uncertainty, and stability against the other crystals.

    The hull is that of all other crystals, as it is for a candidate, and is taken as exact.
    """
    others = crystals.filter(~pl.col("split").is_in(HELD_OUT))
    floor = ConvexHull.of(others).hull_energies(atomic_fractions(held_out["atomic_numbers"].to_list()))
    return {split: _scores(prediction, held_out, floor, split) for split in HELD_OUT}


def _scores(prediction: Prediction, held_out: pl.DataFrame, hull: np.ndarray, split: str) -> dict[str, Any]:
    rows = (held_out["split"] == split).to_numpy()
    chosen, floor = prediction.of(rows), hull[rows]
    true = held_out[_ENERGY].to_numpy()[rows]
    means = {**chosen.views, "ensemble": chosen.mean}
    stability = stability_scores(chosen.mean - floor, true - floor)
    stability |= probability_scores(chosen.probability_below(floor), true <= floor)
    scores = {view: errors(mean, true) for view, mean in means.items()}
    return scores | {"uncertainty": uncertainty_scores(chosen, true), "stability": stability}
