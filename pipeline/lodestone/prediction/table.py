"""Predictions for queries as one table: energies with intervals, stability, decomposition, what is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from lodestone.crystals.compositions import atomic_fractions
from lodestone.ensemble.ensemble import Ensemble
from lodestone.ensemble.predictor import Prediction
from lodestone.prediction.inputs import Query
from lodestone.prediction.known import known_statuses
from lodestone.prediction.phases import KnownPhases
from lodestone.prediction.reactions import describe_reaction
from lodestone.stability.density import compounds_within

_ENERGY = "formation_energy_per_atom"
_PREDICTED = tuple(f"{_ENERGY}_{part}" for part in ("pred", "std", "lower", "upper"))
_OF_HULL = {
    "energy_above_hull_pred": pl.Float64(),
    "energy_above_hull_lower": pl.Float64(),
    "energy_above_hull_upper": pl.Float64(),
    "stability_probability": pl.Float64(),
    "decomposition": pl.String(),
    "reaction_energy_per_atom": pl.Float64(),
    "n_competing_compounds": pl.Int64(),
    "known_status": pl.String(),
    "known_as": pl.String(),
    "known_energy_above_hull": pl.Float64(),
}
COLUMNS = {
    "material_id": pl.String(),
    "source": pl.String(),
    "formula_pretty": pl.String(),
    "chemsys": pl.String(),
    "nsites": pl.Int64(),
    "input_structure": pl.String(),
    **dict.fromkeys(_PREDICTED, pl.Float64()),
    **_OF_HULL,
    "out_of_distribution": pl.String(),
}


def prediction_table(
    ensemble: Ensemble, queries: Sequence[Query], phases: KnownPhases | None, input_structure: str = "relaxed"
) -> pl.DataFrame:
    """Predict.

    Args:
        ensemble: Networks.
        queries: Crystals and formulas.
        phases: What they compete with, on the ensemble's scale; ``None`` leaves the columns of stability empty.
        input_structure: ``relaxed`` or ``unrelaxed``, of the crystals.

    Returns:
        The columns :data:`COLUMNS`, one row per query, in their order.
    """
    parts = []
    for of_formulas in (False, True):
        chosen = [(place, query) for place, query in enumerate(queries) if query.is_formula == of_formulas]
        if chosen:
            some = [query for _, query in chosen]
            crystals = [query.crystal for query in some]
            predicted = (
                ensemble.predict_formulas(crystals) if of_formulas else ensemble.predict(crystals, input_structure)
            )
            table = _described(some, input_structure).hstack(_energies(predicted))
            table = table.hstack(_stability(some, predicted, phases) if phases else _nothing(len(some)))
            places = pl.Series("place", [place for place, _ in chosen])
            parts.append(table.with_columns(places))
    if not parts:
        return pl.DataFrame(schema=COLUMNS)
    return pl.concat(parts).sort("place").select(pl.col(name).cast(dtype) for name, dtype in COLUMNS.items())


def _described(queries: Sequence[Query], input_structure: str) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "material_id": [query.name for query in queries],
            "source": [query.source for query in queries],
            "formula_pretty": [query.formula for query in queries],
            "chemsys": [query.chemsys for query in queries],
            "nsites": [None if query.is_formula else len(query.crystal) for query in queries],
            "input_structure": ["formula" if query.is_formula else input_structure for query in queries],
        },
        schema_overrides={"nsites": pl.Int64},
    )


def _energies(predicted: Prediction) -> pl.DataFrame:
    return predicted.columns().select(*_PREDICTED, "out_of_distribution")


def _nothing(n: int) -> pl.DataFrame:
    return pl.DataFrame({name: pl.Series(name, [None] * n, dtype=dtype) for name, dtype in _OF_HULL.items()})


def _stability(queries: Sequence[Query], predicted: Prediction, phases: KnownPhases) -> pl.DataFrame:
    fractions = atomic_fractions([query.crystal.atomic_numbers for query in queries])
    floor = phases.hull.hull_energies(fractions)
    formulas = [query.formula for query in queries]
    known = known_statuses(queries, formulas, phases)
    heights = dict(zip(phases.table["material_id"], phases.hull.distances, strict=True))
    names, products = phases.table["material_id"].to_list(), phases.hull.decompositions(fractions)
    of_phases = phases.table["formula_pretty"].to_list()
    return pl.DataFrame(
        {
            "energy_above_hull_pred": predicted.mean - floor,
            "energy_above_hull_lower": predicted.lower - floor,
            "energy_above_hull_upper": predicted.upper - floor,
            "stability_probability": np.clip(predicted.probability_below(floor), 0.0, 1.0),
            "decomposition": [
                describe_reaction(formula, product, of_phases, names)
                for formula, product in zip(formulas, products, strict=True)
            ],
            "reaction_energy_per_atom": floor - predicted.mean,
            "n_competing_compounds": compounds_within([query.chemsys for query in queries], phases.table),
            "known_status": [one.status for one in known],
            "known_as": [one.known_as for one in known],
            "known_energy_above_hull": [heights.get(one.known_as or "") for one in known],
        },
        schema_overrides=_OF_HULL,
    )
