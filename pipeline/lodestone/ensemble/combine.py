"""From the predictions of all views of a round to one calibrated ensemble, for either input structure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from lodestone.ensemble.evaluate import (
    Evaluation,
    Reasons,
    evaluate_input_structures,
    fit_formulas,
    fit_out_of_distribution,
    held_out_latents,
)
from lodestone.ensemble.out_of_distribution import OutOfDistribution
from lodestone.ensemble.predictor import EnsemblePredictor
from lodestone.models.weights import SavedView
from lodestone.substitution.unrelaxed import UnrelaxedStructures, unrelaxed_held_out

FitSeen = Callable[
    [SavedView | None, pl.DataFrame, UnrelaxedStructures, Mapping[str, np.ndarray]], tuple[OutOfDistribution, Reasons]
]


@dataclass(frozen=True)
class Combination:
    """The views of a round combined.

    Attributes:
        evaluations: By input structure.
        predictors: How the views are combined, by input structure, and for formulas without one.
        seen: The training crystals, by which others are judged to be out of distribution.
    """

    evaluations: Mapping[str, Evaluation]
    predictors: Mapping[str, EnsemblePredictor]
    seen: OutOfDistribution


def combine_views(
    members: Mapping[str, pl.DataFrame],
    crystals: pl.DataFrame,
    judge: SavedView | None,
    structures_seed: int,
    *,
    strategy: str = "constant",
    group: str = "formula_pretty",
    fit_seen: FitSeen = fit_out_of_distribution,
) -> Combination:
    """Combine, calibrate and evaluate the views of a round.

    Args:
        members: By view, contract :class:`lodestone.schemas.MemberPredictions`, all for the same crystals.
        crystals: Known crystals (contract :class:`lodestone.schemas.Crystals`).
        judge: Networks of the view whose latent vectors are compared; ``None`` compares chemistry only.
        structures_seed: Of the unrelaxed structures; that by which the views were trained.
        strategy: A name in :data:`lodestone.config.registry.AGGREGATIONS`, or that of a view.
        group: Column whose equal values mark crystals that are held out together.
        fit_seen: Describes the training crystals, and gives the reasons of the held-out ones.

    Raises:
        LodestoneError: If there are no validation crystals.
    """
    unrelaxed_structures = unrelaxed_held_out(crystals, structures_seed)
    points = held_out_latents(members[judge.view] if judge else None, crystals, unrelaxed_structures)
    seen, out_of_distribution = fit_seen(judge, crystals, unrelaxed_structures, points)
    evaluations = evaluate_input_structures(
        members,
        crystals,
        unrelaxed_structures=unrelaxed_structures,
        out_of_distribution=out_of_distribution,
        strategy=strategy,
        group=group,
    )
    predictors = {input_structure: evaluation.predictor for input_structure, evaluation in evaluations.items()}
    formulas = fit_formulas(members, crystals, out_of_distribution["relaxed"], group)
    return Combination(evaluations=evaluations, predictors=predictors | formulas, seen=seen)
