"""Predictions of the networks."""

from __future__ import annotations

import re

import polars as pl

from lodestone.schemas.columns import INPUT_STRUCTURES, OUT_OF_DISTRIBUTION_REASONS, Contract, Lenient, check, field

_PREDICTION = "formation_energy_per_atom_pred"
_NAME = "[A-Za-z0-9_]+"
VIEW_COLUMNS = f"^{_PREDICTION}_{_NAME}$"


def view_column(view: str) -> str:
    """Column with the prediction of one view."""
    return f"{_PREDICTION}_{view}"


def view_columns(table: pl.DataFrame) -> dict[str, str]:
    """The columns with predictions of single views, by view."""
    return {name.removeprefix(f"{_PREDICTION}_"): name for name in table.columns if re.match(VIEW_COLUMNS, name)}


class MemberPredictions(Contract):
    """Predictions of one view on the validation and test crystals, long form."""

    material_id: str = field("Crystal")
    input_structure: str = field(
        "'relaxed', or 'unrelaxed': as screening would see it, made from a training crystal of its prototype",
        isin=INPUT_STRUCTURES,
    )
    view: str = field("View", str_matches=f"^{_NAME}$")
    member: pl.Int32 = field("Member of the ensemble", ge=0)
    split: str = field("validation or test", isin=["validation", "test"])
    formation_energy_per_atom_pred: pl.Float64 = field("Prediction", "eV/atom")
    latent: pl.List(pl.Float32) = field(  # type: ignore[valid-type]
        "Latent vector, of the first member of a view that has any", nullable=True
    )

    _once = check(
        "each member predicts a geometry once",
        pl.struct("material_id", "input_structure", "view", "member").is_unique(),
    )


class Predicted(Lenient):
    """What is predicted of a crystal, with its calibrated error; never rounded."""

    formation_energy_per_atom_pred: pl.Float64 = field("All views combined as `ensemble.aggregation` says", "eV/atom")
    views: pl.Float64 = field(
        "Mean of the members of a view: one such column for each view", "eV/atom", alias=VIEW_COLUMNS, regex=True
    )
    formation_energy_per_atom_epistemic_std: pl.Float64 = field(
        "Spread of the members of all views, not calibrated", "eV/atom", ge=0
    )
    formation_energy_per_atom_std: pl.Float64 = field(
        "Expected size of the error, calibrated on the validation crystals", "eV/atom", gt=0
    )
    formation_energy_per_atom_lower: pl.Float64 = field("Lower end of the calibrated 90 % interval", "eV/atom")
    formation_energy_per_atom_upper: pl.Float64 = field("Upper end of the calibrated 90 % interval", "eV/atom")
    out_of_distribution: str = field(
        "Why the crystal is unlike the training crystals, joined by commas: element, pair (of elements) or system "
        "(chemical system) never seen, latent (far in latent space); an empty text if it is like them"
    )

    _interval = check(
        "the prediction lies within its interval",
        pl.col("formation_energy_per_atom_pred").is_between(
            pl.col("formation_energy_per_atom_lower"), pl.col("formation_energy_per_atom_upper")
        ),
    )
    _reasons = check(
        "out_of_distribution names element, pair, system or latent, or nothing",
        (pl.col("out_of_distribution") == "")
        | (
            pl.col("out_of_distribution")
            .str.split(",")
            .list.set_difference(list(OUT_OF_DISTRIBUTION_REASONS))
            .list.len()
            == 0
        ),
    )


class Predictions(Contract, Predicted):
    """All views combined, on the validation and test crystals."""

    material_id: str = field("Crystal")
    input_structure: str = field("What views that see atoms got: 'relaxed' or 'unrelaxed'", isin=INPUT_STRUCTURES)
    split: str = field("validation or test", isin=["validation", "test"])
    formation_energy_per_atom: pl.Float64 = field("Label", "eV/atom")

    _once = check("each geometry is predicted once", pl.struct("material_id", "input_structure").is_unique())
