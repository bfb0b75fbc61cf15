"""Combine the views, calibrate their errors on the validation crystals, and measure both on the test crystals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from lodestone.crystals.compositions import atomic_fractions
from lodestone.crystals.encoding import decode
from lodestone.ensemble.calibration import ENOUGH, Calibration
from lodestone.ensemble.metrics import errors, stability_scores
from lodestone.ensemble.out_of_distribution import Novelty
from lodestone.ensemble.predictor import Combination, Prediction, Rule
from lodestone.ensemble.reliability import probability_scores, uncertainty_scores
from lodestone.models.inference import latents
from lodestone.models.weights import SavedView
from lodestone.stability.hull import ConvexHull
from lodestone.substitution.unrelaxed import Guesses
from lodestone.tables.subsets import HELD_OUT, part_of

_ENERGY = "formation_energy_per_atom"

Reasons = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Combined:
    """Both views combined.

    Attributes:
        rule: How, with the calibration.
        table: Contract :class:`lodestone.schemas.Predictions`.
        metrics: Errors, calibration and reliability on the validation and the test crystals.
    """

    rule: Rule
    table: pl.DataFrame
    metrics: dict[str, Any]


def novelty_of(structure: SavedView, crystals: pl.DataFrame, guesses: Guesses) -> tuple[Novelty, Reasons]:
    """What the training crystals were like, and which held-out crystals are unlike them.

    Args:
        structure: Networks of the structure view.
        crystals: Known crystals (contract :class:`lodestone.schemas.Crystals`).
        guesses: Guesses of validation and test crystals.

    Returns:
        What was learned from, and by geometry the reasons of each held-out crystal.
    """
    unseen = part_of(crystals, *HELD_OUT)
    shown = {"relaxed": Guesses(unseen, decode(unseen)), "unrelaxed": guesses}
    found = {geometry: latents(structure, held.crystals, geometry) for geometry, held in shown.items()}
    train = decode(part_of(crystals, "train"))
    validating = {name: (held.table["split"] == "validation").to_numpy() for name, held in shown.items()}
    known = latents(structure, train)
    novelty = Novelty.fit(train, known, {name: found[name][rows] for name, rows in validating.items()})
    return novelty, {name: novelty.reasons(held.crystals, found[name], name) for name, held in shown.items()}


def combine_geometries(
    composition: pl.DataFrame,
    structure: pl.DataFrame,
    crystals: pl.DataFrame,
    guesses: Guesses,
    novelty: Reasons,
    strategy: str = "constant",
    group: str = "formula_pretty",
) -> dict[str, Combined]:
    """Combine the predictions of both views, for relaxed crystals and for guesses; see :func:`combine_views`.

    Guesses are predicted with larger errors, so they have weights and a calibration of their own. Where too few
    validation crystals have one to fit these, they get those of relaxed crystals.
    """
    with_guess = ~pl.col("split").is_in(HELD_OUT) | pl.col("material_id").is_in(guesses.table["material_id"].to_list())
    parts = {"relaxed": crystals, "unrelaxed": crystals.filter(with_guess)}
    combined: dict[str, Combined] = {}
    for geometry, known in parts.items():
        few = int((known["split"] == "validation").sum()) < ENOUGH
        rule = combined["relaxed"].rule if few and combined else None
        reasons = novelty[geometry]
        combined[geometry] = combine_views(composition, structure, known, reasons, strategy, group, geometry, rule)
    return combined


def combine_views(
    composition: pl.DataFrame,
    structure: pl.DataFrame,
    crystals: pl.DataFrame,
    novelty: Sequence[str],
    strategy: str = "constant",
    group: str = "formula_pretty",
    geometry: str = "relaxed",
    rule: Rule | None = None,
) -> Combined:
    """Combine the predictions of both views.

    Args:
        composition: Contract :class:`lodestone.schemas.MemberPredictions`.
        structure: Likewise, for the same crystals.
        crystals: Known crystals with their labels.
        novelty: Why validation and test crystals, sorted by ``material_id``, are out of distribution.
        strategy: A name in :data:`lodestone.ensemble.strategies.STRATEGIES`.
        group: Column that says which crystals are held out together.
        geometry: What the structure view was shown: ``relaxed`` or ``unrelaxed``.
        rule: Use this one and fit none.

    Raises:
        LodestoneError: If there are no validation crystals.
    """
    unseen = part_of(crystals, *HELD_OUT)
    members = _matrix(composition, unseen), _matrix(structure.filter(pl.col("geometry") == geometry), unseen)
    rule = rule or _fitted(members, unseen, novelty, strategy, group)
    prediction = rule.predict(*members, novelty)
    on_trial = (unseen["split"] == "validation").to_numpy()
    weight = prediction.weight_structure[on_trial]
    fitted = {name: value for name, value in rule.calibration.as_dict().items() if name != "errors"}
    facts = {
        "n_train": int((crystals["split"] == "train").sum()),
        "strategy": strategy,
        "weight_structure": float(weight.mean()) if len(weight) else None,
        "calibration": fitted,
    }
    return Combined(rule, _table(prediction, unseen, geometry), facts | _metrics(prediction, unseen, crystals))


def _fitted(
    members: tuple[np.ndarray, np.ndarray], unseen: pl.DataFrame, novelty: Sequence[str], strategy: str, group: str
) -> Rule:
    """Weights and calibration by the validation crystals among the unseen."""
    true, on_trial = unseen[_ENERGY].to_numpy(), (unseen["split"] == "validation").to_numpy()
    composition, structure = (view[:, on_trial] for view in members)
    combination = Combination.fit(strategy, composition, structure, true[on_trial])
    average = combination.combine(composition, structure)
    calibration = Calibration.fit(
        true[on_trial] - average.mean,
        average.spread,
        unseen[group].filter(on_trial).to_list(),
        [reasons for reasons, validating in zip(novelty, on_trial, strict=True) if validating],
    )
    return Rule(combination, calibration)


def _matrix(predictions: pl.DataFrame, labels: pl.DataFrame) -> np.ndarray:
    """Predictions as an array of shape ``(members, crystals)`` in the order of the labels."""
    wide = predictions.pivot(
        on="member", index="material_id", values="formation_energy_per_atom_pred", sort_columns=True
    )
    ordered = labels.select("material_id").join(wide, on="material_id", how="left", maintain_order="left")
    return ordered.drop("material_id").to_numpy().T


def _table(prediction: Prediction, unseen: pl.DataFrame, geometry: str) -> pl.DataFrame:
    known = unseen.select("material_id", pl.lit(geometry).alias("geometry"), "split", _ENERGY)
    return known.hstack(prediction.columns())


def _metrics(prediction: Prediction, unseen: pl.DataFrame, crystals: pl.DataFrame) -> dict[str, Any]:
    """Per part: errors of each view and of the ensemble, uncertainty, and stability against the other crystals.

    The hull is that of all crystals but these, as it is for a candidate, and is taken as exact.
    """
    others = crystals.filter(~pl.col("split").is_in(HELD_OUT))
    hull = ConvexHull(atomic_fractions(others["atomic_numbers"].to_list()), others[_ENERGY].to_numpy())
    floor = hull.hull_energies(atomic_fractions(unseen["atomic_numbers"].to_list()))
    return {part: _scores(prediction, unseen, floor, part) for part in HELD_OUT}


def _scores(prediction: Prediction, unseen: pl.DataFrame, hull: np.ndarray, part: str) -> dict[str, Any]:
    rows = (unseen["split"] == part).to_numpy()
    mine, floor = prediction.of(rows), hull[rows]
    true = unseen[_ENERGY].to_numpy()[rows]
    means = {"composition": mine.composition, "structure": mine.structure, "ensemble": mine.mean}
    stability = stability_scores(mine.mean - floor, true - floor)
    stability |= probability_scores(mine.probability_below(floor), true <= floor)
    scores = {view: errors(mean, true) for view, mean in means.items()}
    return scores | {"uncertainty": uncertainty_scores(mine, true), "stability": stability}
