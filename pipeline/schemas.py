"""The vocabulary: one pandera contract per table that crosses a stage.

Energies are eV/atom and never rounded, lengths Å. ``DATASET.md`` is generated from this module.
"""

from __future__ import annotations

from typing import Any

import pandera.polars as pa
import polars as pl


def _field(description: str, unit: str = "-", **checks: Any) -> Any:
    return pa.Field(description=description, metadata={"unit": unit}, **checks)


class _Contract(pa.DataFrameModel):
    class Config:
        strict = True
        coerce = False


class Structures(_Contract):
    """What every table of crystals holds; each row is one periodic crystal."""

    material_id: str = _field("Identifier, unique, kept for life", unique=True, str_length={"min_value": 1})
    formula_pretty: str = _field("Reduced formula, pymatgen style")
    chemsys: str = _field("Elements, sorted, joined by '-'")
    nsites: pl.Int32 = _field("Atoms in the cell", ge=1)
    spacegroup_number: pl.Int32 = _field(
        "International space group number (moyopy, symprec 0.1)", in_range={"min_value": 1, "max_value": 230}
    )
    prototype: str = _field("Structure type without elements: stoichiometry, Pearson symbol, space group, orbits")
    decorated_prototype: str = _field(
        "The same with elements on their orbits; equal for the same composition and prototype"
    )
    lattice: pl.List(pl.Float64) = _field("Lattice vectors, rows one after the other (9)", "Å")  # type: ignore[valid-type]
    atomic_numbers: pl.List(pl.UInt8) = _field("Atomic number of each site")  # type: ignore[valid-type]
    frac_coords: pl.List(pl.Float64) = _field("Fractional coordinates, site after site (3 per site)")  # type: ignore[valid-type]


class Snapshot(Structures):
    """Crystals as a source gives them, after the filters."""

    energy_per_atom: pl.Float64 = _field("Total energy on the scale of label_method", "eV/atom", nullable=True)
    formation_energy_per_atom: pl.Float64 = _field("Formation energy as the source gives it", "eV/atom", nullable=True)
    energy_above_hull: pl.Float64 = _field("Distance to the source's own convex hull", "eV/atom", nullable=True)
    uncorrected_energy_per_atom: pl.Float64 = _field("Total energy before corrections", "eV/atom", nullable=True)
    energy_correction_per_atom: pl.Float64 = _field(
        "Correction of the scheme: energy_per_atom less uncorrected_energy_per_atom", "eV/atom", nullable=True
    )
    created_at: str = _field(
        "Day the source made the entry, YYYY-MM-DD", nullable=True, str_matches=r"^\d{4}-\d{2}-\d{2}$"
    )
    label_method: str = _field("What the energies come from, e.g. chgnet-0.3.0 or dft-pbe")
    correction_scheme: str = _field("Correction scheme of the energies, e.g. MP2020; never mixed in one table")


class Crystals(Structures):
    """Known crystals of a round: every energy from one oracle, on one hull."""

    energy_per_atom: pl.Float64 = _field("Total energy of the relaxed crystal by the oracle", "eV/atom")
    formation_energy_per_atom: pl.Float64 = _field(
        "Relative to the elements relaxed by the same oracle", "eV/atom", in_range={"min_value": -10, "max_value": 10}
    )
    energy_above_hull: pl.Float64 = _field("Distance to the convex hull of this table", "eV/atom", ge=0)
    source_formation_energy_per_atom: pl.Float64 = _field(
        "Formation energy that the snapshot gave, for comparison only", "eV/atom", nullable=True
    )
    origin: str = _field(
        "'snapshot', 'reference' (a pure element added for the hull), or the round that verified the crystal"
    )
    split: str = _field(
        "Part of the data: train, validation, test, or holdout (on the hull, never learned from)",
        isin=["train", "validation", "test", "holdout"],
    )


class Labelled(Crystals):
    """The whole snapshot on the oracle's scale, before it is split."""

    split: str = _field("Always 'train' before the split", isin=["train"])


class References(_Contract):
    """Elemental reference energies: the lowest known crystal of each element, by the oracle."""

    element: str = _field("Element symbol", unique=True)
    energy_per_atom: pl.Float64 = _field("Total energy of the lowest crystal", "eV/atom")
    material_id: str = _field("Which crystal that is")


class MemberPredictions(_Contract):
    """Predictions of one view on the validation and test crystals, long form."""

    material_id: str = _field("Crystal")
    view: str = _field("composition or structure", isin=["composition", "structure"])
    member: pl.Int32 = _field("Member of the ensemble", ge=0)
    split: str = _field("validation or test", isin=["validation", "test"])
    formation_energy_per_atom_pred: pl.Float64 = _field("Prediction", "eV/atom")


class Predictions(_Contract):
    """The weighted average on the validation and test crystals."""

    material_id: str = _field("Crystal", unique=True)
    split: str = _field("validation or test", isin=["validation", "test"])
    formation_energy_per_atom: pl.Float64 = _field("Label", "eV/atom")
    formation_energy_per_atom_pred_composition: pl.Float64 = _field("Mean of the composition view", "eV/atom")
    formation_energy_per_atom_pred_structure: pl.Float64 = _field("Mean of the structure view", "eV/atom")
    formation_energy_per_atom_pred: pl.Float64 = _field("Weighted average of the views", "eV/atom")
    formation_energy_per_atom_epistemic_std: pl.Float64 = _field(
        "Spread, scaled to the errors on the validation crystals", "eV/atom", ge=0
    )


class Attempts(_Contract):
    """Every candidate ever given to the oracle, so that none is proposed again."""

    decorated_prototype: str = _field("Composition and prototype as proposed", unique=True)
    round: str = _field("Round that spent its budget on it")
    is_stable: bool = _field("Whether it was a discovery")


class Candidates(Structures):
    """Screened candidates of a round, unrelaxed."""

    parent_id: str = _field("Known crystal whose elements were substituted")
    substitution: str = _field("What was replaced by what, e.g. 'Na>K'")
    substitution_probability: pl.Float64 = _field(
        "Hautier's conditional probability, product over the replacements", in_range={"min_value": 0, "max_value": 1}
    )
    formation_energy_per_atom_pred: pl.Float64 = _field("Weighted average of the views", "eV/atom")
    formation_energy_per_atom_pred_composition: pl.Float64 = _field("Mean of the composition view", "eV/atom")
    formation_energy_per_atom_pred_structure: pl.Float64 = _field("Mean of the structure view", "eV/atom")
    formation_energy_per_atom_epistemic_std: pl.Float64 = _field("Scaled spread of the ensemble", "eV/atom", ge=0)
    energy_above_hull_pred: pl.Float64 = _field(
        "Predicted distance to the hull at the start of the round; negative below it", "eV/atom"
    )
    stability_probability: pl.Float64 = _field(
        "P(energy above hull <= 0) under a normal error", in_range={"min_value": 0, "max_value": 1}
    )
    acquired_by: str = _field("'model', 'random' (the baseline), or 'none'", isin=["model", "random", "none"])


class Verifications(_Contract):
    """What the oracle said about each acquired candidate; rejected ones keep their reason."""

    material_id: str = _field("Candidate", unique=True)
    round: str = _field("Round")
    acquired_by: str = _field("'model' or 'random' (the baseline)", isin=["model", "random"])
    parent_id: str = _field("Known crystal whose elements were substituted")
    substitution: str = _field("What was replaced by what")
    formula_pretty: str = _field("Reduced formula")
    chemsys: str = _field("Chemical system")
    status: str = _field("'ok', or why the relaxation is refused")
    n_steps: pl.Int32 = _field("Relaxation steps", ge=0)
    formation_energy_per_atom_pred: pl.Float64 = _field("Predicted before verification", "eV/atom")
    formation_energy_per_atom_pred_composition: pl.Float64 = _field("Composition view's prediction", "eV/atom")
    formation_energy_per_atom_pred_structure: pl.Float64 = _field("Structure view's prediction", "eV/atom")
    formation_energy_per_atom_epistemic_std: pl.Float64 = _field("Scaled spread of the ensemble", "eV/atom", ge=0)
    energy_above_hull_pred: pl.Float64 = _field("Predicted distance to the hull at the start of the round", "eV/atom")
    stability_probability: pl.Float64 = _field(
        "Predicted probability of being stable", in_range={"min_value": 0, "max_value": 1}
    )
    energy_per_atom: pl.Float64 = _field("Total energy by the oracle", "eV/atom", nullable=True)
    formation_energy_per_atom: pl.Float64 = _field("Verified formation energy", "eV/atom", nullable=True)
    energy_above_hull: pl.Float64 = _field(
        "Distance to the hull known at the start of the round; negative below it", "eV/atom", nullable=True
    )
    decomposition: str = _field("Phases of the hull at the start of the round at this composition", nullable=True)
    is_novel: bool = _field("The relaxed crystal is no known crystal and no other candidate of the round")
    is_stable: bool = _field("Verified, novel and on or below the hull at the start of the round")
    spacegroup_number: pl.Int32 = _field("Space group of the relaxed crystal", nullable=True)
    prototype: str = _field("Prototype of the relaxed crystal", nullable=True)
    decorated_prototype: str = _field("Composition and prototype of the relaxed crystal", nullable=True)
    lattice: pl.List(pl.Float64) = _field("Relaxed lattice", "Å", nullable=True)  # type: ignore[valid-type]
    atomic_numbers: pl.List(pl.UInt8) = _field("Atomic numbers of the relaxed crystal", nullable=True)  # type: ignore[valid-type]
    frac_coords: pl.List(pl.Float64) = _field("Relaxed fractional coordinates", nullable=True)  # type: ignore[valid-type]


class Discoveries(Structures):
    """Crystals found by the campaign: stable against the hull at the start of their round."""

    round: str = _field("Round that found it")
    acquired_by: str = _field("'model' or 'random'", isin=["model", "random"])
    energy_per_atom: pl.Float64 = _field("Total energy by the oracle", "eV/atom")
    formation_energy_per_atom: pl.Float64 = _field("Verified formation energy", "eV/atom")
    formation_energy_per_atom_pred: pl.Float64 = _field("Prediction before verification", "eV/atom")
    energy_above_hull_start: pl.Float64 = _field(
        "Against the hull at the start of its round (negative: below it)", "eV/atom", le=0
    )
    energy_above_hull: pl.Float64 = _field("Against the hull at the end of the campaign", "eV/atom", ge=0)
    decomposition: str = _field("What it would decompose to on the hull at the start of its round")


class Rejections(_Contract):
    """Rows that a stage refused, with the reason."""

    material_id: str = _field("Row as the source names it")
    formula_pretty: str = _field("Reduced formula, or '?' where there is none")
    reason: str = _field("Why it was refused")


CONTRACTS: tuple[type[_Contract], ...] = (
    Snapshot,
    Rejections,
    Labelled,
    References,
    Crystals,
    Attempts,
    MemberPredictions,
    Predictions,
    Candidates,
    Verifications,
    Discoveries,
)
