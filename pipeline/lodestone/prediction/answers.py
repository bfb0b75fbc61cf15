"""From queries to everything that the command prints: relaxed on request, measured against a hull, predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from lodestone.prediction.inputs import Queries, Unread
from lodestone.prediction.model import StabilityModel
from lodestone.prediction.phases import KnownPhases
from lodestone.prediction.relaxation import oracle_columns, oracle_of, relaxed
from lodestone.prediction.table import prediction_table


@dataclass(frozen=True)
class Answers:
    """Predictions, and what stands beside them.

    Attributes:
        model: Who predicted.
        phases: The hull; ``None`` without.
        table: See :func:`lodestone.prediction.table.prediction_table`; two more columns where an oracle has relaxed.
        unread: What could not be predicted.
    """

    model: StabilityModel
    phases: KnownPhases | None
    table: pl.DataFrame
    unread: Sequence[Unread]


def answer(
    model: StabilityModel,
    queries: Queries,
    hull: Any = None,
    *,
    hull_scale: str | None = None,
    across_scales: bool = False,
    input_structure: str = "relaxed",
    relax: bool = False,
) -> Answers:
    """Predict all that can be.

    Args:
        model: Who predicts.
        queries: Crystals and formulas.
        hull: See :meth:`lodestone.prediction.model.StabilityModel.predict`, as for the next three.
        hull_scale: What the energies of a file are.
        across_scales: Accept a hull on another scale.
        input_structure: ``relaxed`` or ``unrelaxed``.
        relax: Let the oracle relax crystals first; those it cannot relax are not predicted.
    """
    queries = model.answerable(queries)
    result = relaxed(queries, oracle_of(model.campaign)) if relax else None
    good, unread = (result.queries if result else queries).good, (result.queries if result else queries).unread
    if not good:
        return Answers(model, None, prediction_table(model.ensemble, [], None), unread)
    phases = model.phases(hull, good, hull_scale, across_scales=across_scales)
    table = prediction_table(model.ensemble, good, phases, "relaxed" if result else input_structure)
    if result:
        table = table.hstack(oracle_columns(good, result, phases, model.campaign))
    return Answers(model, phases, table, unread)
