"""Screen candidates: predict with the ensemble how far each lies from the current hull."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import polars as pl

from lodestone.crystals.compositions import atomic_fractions
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import describe
from lodestone.discovery.generators.base import Proposal
from lodestone.ensemble.ensemble import Ensemble
from lodestone.ensemble.pieces import predict_in_pieces
from lodestone.ensemble.predictor import FORMULA, Prediction
from lodestone.stability.hull import ConvexHull

_TEXTS = ("material_id", "decorated_prototype", "generator", "provenance", "acquired_by")


def screen(
    proposals: Sequence[tuple[str, Proposal]],
    prediction: Prediction,
    hull: ConvexHull,
    round_name: str,
    *,
    max_depth: float = math.inf,
) -> pl.DataFrame:
    """Proposals with their predicted distance to the hull.

    Args:
        proposals: Candidates, each with the name of its generator.
        prediction: Predicted formation energies of the candidates; P(stable) is the probability of lying on
            or below the hull.
        hull: Hull at the start of the round, taken as exact: P(stable) ignores phases it may lack.
        round_name: Prefix of the new identifiers.
        max_depth: What lies further than this below the hull shows that phases are missing there, eV/atom.

    Returns:
        Columns of :class:`lodestone.schemas.Candidates`, ``acquired_by`` set to ``none``.
    """
    candidates = [proposal for _, proposal in proposals]
    table = describe([proposal.crystal for proposal in candidates])
    floor = hull.hull_energies(atomic_fractions([proposal.crystal.atomic_numbers for proposal in candidates]))
    derived = pl.DataFrame(
        {
            "material_id": [candidate_id(round_name, proposal.label) for proposal in candidates],
            "decorated_prototype": [proposal.label for proposal in candidates],
            "generator": [generator for generator, _ in proposals],
            "provenance": [proposal.provenance_text for proposal in candidates],
            "weight": [float(proposal.weight) for proposal in candidates],
            "energy_above_hull_pred": prediction.mean - floor,
            "stability_probability": prediction.probability_below(floor),  # the hull is taken as exact
            "incomplete_probability": prediction.probability_below(floor - max_depth),
            "acquired_by": ["none"] * len(proposals),
        },
        schema_overrides=dict.fromkeys(_TEXTS, pl.String) | {"weight": pl.Float64},
    )
    return table.drop("decorated_prototype").hstack(derived).hstack(prediction.columns())


def formulas_above_hull(formulas: Sequence[Crystal], ensemble: Ensemble, hull: ConvexHull) -> np.ndarray:
    """How far formulas lie above the hull by the views that see no atoms.

    Args:
        formulas: Crystals of which only the elements and their numbers are read.
        ensemble: Predicts their formation energies.
        hull: Hull at the start of the round.

    Returns:
        Shape ``(n,)``, eV/atom.

    Raises:
        LodestoneError: If the ensemble cannot judge formulas.
    """
    floor = hull.hull_energies(atomic_fractions([formula.atomic_numbers for formula in formulas]))
    return np.asarray(predict_in_pieces(ensemble, formulas, FORMULA).mean - floor)


def candidate_id(round_name: str, decorated_prototype: str) -> str:
    """An identifier determined by the round and the label of the candidate."""
    return f"{round_name}-{hashlib.blake2b(decorated_prototype.encode(), digest_size=5).hexdigest()}"
