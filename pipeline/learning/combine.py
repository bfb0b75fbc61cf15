"""Fit the weighted average of the views on the validation crystals, and measure it on the test crystals."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from pipeline.learning.ensemble import Combination
from pipeline.learning.metrics import errors

_VIEWS = {"composition": "_composition", "structure": "_structure", "ensemble": ""}


def combine_views(
    composition: pl.DataFrame, structure: pl.DataFrame, crystals: pl.DataFrame
) -> tuple[Combination, pl.DataFrame, dict[str, Any]]:
    """Combine the predictions of both views.

    Args:
        composition: Contract :class:`pipeline.schemas.MemberPredictions`.
        structure: Likewise, for the same crystals.
        crystals: Known crystals with their labels.

    Returns:
        The combination, a table of the contract :class:`pipeline.schemas.Predictions`, and the metrics.
    """
    unseen = crystals.filter(pl.col("split").is_in(["validation", "test"])).sort("material_id")
    labels = unseen.select("material_id", "split", "formation_energy_per_atom")
    members = {view: _matrix(table, labels) for view, table in (("composition", composition), ("structure", structure))}
    true = labels["formation_energy_per_atom"].to_numpy()
    fitting = (labels["split"] == "validation").to_numpy()
    combination = Combination.fit(members["composition"][:, fitting], members["structure"][:, fitting], true[fitting])
    prediction = combination.combine(members["composition"], members["structure"])
    table = labels.with_columns(
        formation_energy_per_atom_pred_composition=pl.Series(prediction.composition),
        formation_energy_per_atom_pred_structure=pl.Series(prediction.structure),
        formation_energy_per_atom_pred=pl.Series(prediction.mean),
        formation_energy_per_atom_epistemic_std=pl.Series(prediction.std),
    )
    n_train = int((crystals["split"] == "train").sum())
    return combination, table, {"n_train": n_train, **combination.as_dict(), **_metrics(table)}


def _matrix(predictions: pl.DataFrame, labels: pl.DataFrame) -> np.ndarray:
    """Predictions as an array of shape ``(members, crystals)`` in the order of the labels."""
    wide = predictions.pivot(
        on="member", index="material_id", values="formation_energy_per_atom_pred", sort_columns=True
    )
    ordered = labels.select("material_id").join(wide, on="material_id", how="left", maintain_order="left")
    return ordered.drop("material_id").to_numpy().T


def _metrics(table: pl.DataFrame) -> dict[str, Any]:
    def of(part: str) -> dict[str, Any]:
        rows = table.filter(pl.col("split") == part)
        true = rows["formation_energy_per_atom"].to_numpy()
        return {
            view: errors(rows[f"formation_energy_per_atom_pred{end}"].to_numpy(), true) for view, end in _VIEWS.items()
        }

    return {part: of(part) for part in ("validation", "test")}
