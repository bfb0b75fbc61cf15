"""Tables of a source's data, of what passes the physics checks, and of how two snapshots differ."""

from __future__ import annotations

import polars as pl

from lodestone.schemas.columns import Contract, check, field
from lodestone.schemas.crystals import Dated, Sound, Structures

ADDS_UP = 1e-6  # eV/atom: rounding of a source


def correction_gap() -> pl.Expr:
    """Energy minus uncorrected energy minus correction, eV/atom; null if one of the three is missing."""
    return pl.col("energy_per_atom") - pl.col("uncorrected_energy_per_atom") - pl.col("energy_correction_per_atom")


class Snapshot(Structures, Dated):
    """Crystals as a source gives them, after the filters; what they say is judged by the next stage."""

    energy_per_atom: pl.Float64 = field("Total energy on the scale of label_method", "eV/atom", nullable=True)
    formation_energy_per_atom: pl.Float64 = field("Formation energy as the source gives it", "eV/atom", nullable=True)
    energy_above_hull: pl.Float64 = field("Distance to the source's own convex hull", "eV/atom", nullable=True)
    uncorrected_energy_per_atom: pl.Float64 = field("Total energy before corrections", "eV/atom", nullable=True)
    energy_correction_per_atom: pl.Float64 = field(
        "Correction of the scheme: energy_per_atom less uncorrected_energy_per_atom", "eV/atom", nullable=True
    )
    label_method: str = field("What the energies come from, e.g. chgnet-0.3.0 or dft-pbe", str_length={"min_value": 1})
    correction_scheme: str = field("Correction scheme of the energies, e.g. MP2020", str_length={"min_value": 1})

    _one_kind = check(
        "one label_method and one correction_scheme in the whole table",
        pl.struct("label_method", "correction_scheme") == pl.struct("label_method", "correction_scheme").first(),
    )


class Validated(Sound, Snapshot):
    """Crystals that passed every check of physics; the rest is in the quarantine."""

    _has_energy = check(
        "at least one of energy_per_atom and formation_energy_per_atom is given",
        pl.any_horizontal(pl.col("energy_per_atom", "formation_energy_per_atom").is_not_null()),
    )
    _above_hull = check("energy_above_hull not below -1e-6 eV/atom", pl.col("energy_above_hull") >= -ADDS_UP)
    _adds_up = check(
        "uncorrected energy and correction add up to energy_per_atom within 1e-6 eV/atom, where all three are given",
        correction_gap().abs() <= ADDS_UP,
    )


class Rejections(Contract):
    """Rows that a stage refused, with the reason."""

    material_id: str = field("Row as the source names it")
    formula_pretty: str = field("Reduced formula, or '?' where there is none")
    reason: str = field("Why it was refused")


class Drift(Contract):
    """What became of each crystal between two snapshots; crystals in which nothing changed are left out."""

    material_id: str = field("Crystal", unique=True, str_length={"min_value": 1})
    formula_pretty: str = field("Reduced formula in the new snapshot, or in the old one if it was removed")
    chemsys: str = field("Chemical system, likewise")
    presence: str = field("Which snapshots have it", isin=["added", "removed", "kept"])
    structure: str = field(
        "What changed in the crystal: nothing, its cell or positions, its prototype, or its composition",
        nullable=True, isin=["same", "cell", "prototype", "composition"],
    )  # fmt: skip
    energy_old: pl.Float64 = field("Energy in the old snapshot", "eV/atom", nullable=True)
    energy_new: pl.Float64 = field("Energy in the new snapshot", "eV/atom", nullable=True)
    energy_change: pl.Float64 = field("New energy less old energy", "eV/atom", nullable=True)
    energy_changed: bool = field("Whether the energy changed by more than the tolerance, appeared or vanished")
    energy_above_hull_old: pl.Float64 = field("Distance to the hull of the old source", "eV/atom", nullable=True)
    energy_above_hull_new: pl.Float64 = field("Distance to the hull of the new source", "eV/atom", nullable=True)
    flip: str = field("Whether it changed sides of the hull", isin=["none", "became stable", "became unstable"])

    _compared = check(
        "kept crystals have a comparison of structures, others have none, nor a change of energy",
        (pl.col("structure").is_not_null() == (pl.col("presence") == "kept"))
        & ((pl.col("presence") == "kept") | pl.col("energy_change").is_null()),
    )


class SystemDrift(Contract):
    """The changes between two snapshots by chemical system; systems in which nothing changed are left out."""

    chemsys: str = field("Chemical system of the new snapshot, or of the old one for removed crystals", unique=True)
    n_added: pl.UInt32 = field("Crystals only the new snapshot has")
    n_removed: pl.UInt32 = field("Crystals only the old snapshot has")
    n_energy: pl.UInt32 = field("Crystals whose energy changed by more than the tolerance, appeared or vanished")
    n_structure: pl.UInt32 = field("Crystals whose cell, positions, prototype or composition changed")
    n_became_stable: pl.UInt32 = field("Crystals that came down to the hull")
    n_became_unstable: pl.UInt32 = field("Crystals that left the hull")
    largest_energy_change: pl.Float64 = field("Largest change of energy without its sign", "eV/atom", nullable=True)
