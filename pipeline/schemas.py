"""The vocabulary: one pandera contract per table that crosses a stage.

Energies are eV/atom and never rounded, lengths Å. ``DATASET.md`` is generated from this module. Checks are expressions
over whole columns: 80,000 rows pass in a second or two.
"""

from __future__ import annotations

from typing import Any

import pandera.polars as pa
import polars as pl

ADDS_UP = 1e-6  # eV/atom: rounding of a source
PARTS = ("train", "validation", "test", "holdout")
GEOMETRIES = ("relaxed", "unrelaxed")
NOVELTY = ("element", "pair", "system", "latent")
_SHOWN = 5  # failing rows that a check keeps for its message


def _field(description: str, unit: str = "-", **checks: Any) -> Any:
    return pa.Field(description=description, metadata={"unit": unit}, **checks)


def _rule(error: str, holds: pl.Expr) -> Any:
    """A check of several columns, or of all rows at once; the text stands in `DATASET.md`."""

    def check(_: Any, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(holds)

    return pa.dataframe_check(error=error, n_failure_cases=_SHOWN)(check)


def _finite(_: Any, data: pa.PolarsData) -> pl.LazyFrame:
    dtype, values = data.lazyframe.collect_schema()[data.key], pl.col(data.key)
    if dtype == pl.List(pl.Float64):
        values = values.list.sum()  # of numbers that are not finite, no sum is
    elif not dtype.is_float():
        return data.lazyframe.select(pl.repeat(value=True, n=pl.len()))
    return data.lazyframe.select(values.is_finite())


def _a_day(_: Any, data: pa.PolarsData) -> pl.LazyFrame:
    text = pl.col(data.key)
    day = (text.str.len_bytes() == 10) & text.str.to_date("%Y-%m-%d", strict=False).is_not_null()
    return data.lazyframe.select(text.is_null() | day)


def _lists_make_a_crystal() -> pl.Expr:
    lattice, numbers, coords = (pl.col(name) for name in ("lattice", "atomic_numbers", "frac_coords"))
    sites = numbers.list.len()
    shapes = (lattice.list.len() == 9) & (sites > 0) & (coords.list.len() == 3 * sites)
    whole = [column.list.len() == column.list.drop_nulls().list.len() for column in (lattice, numbers, coords)]
    return pl.all_horizontal(shapes, *whole)


def _crystal_agrees() -> pl.Expr:
    numbers, elements = pl.col("atomic_numbers"), pl.col("chemsys").str.count_matches("-", literal=True) + 1
    return (numbers.list.len() == pl.col("nsites")) & (numbers.list.n_unique() == elements)


def _on_one_side(key: str) -> pl.Expr:
    """Learned from or held out, and not both validated and tested on; held-out finds may join either."""
    part = pl.col("split")
    learned, held_out = (part == "train").any().over(key), (part != "train").any().over(key)
    both = (part == "validation").any().over(key) & (part == "test").any().over(key)
    return ~(learned & held_out) & ~both


def correction_gap() -> pl.Expr:
    """What an energy lacks to the sum of its parts, eV/atom; null where one of the three is not given."""
    return pl.col("energy_per_atom") - pl.col("uncorrected_energy_per_atom") - pl.col("energy_correction_per_atom")


class _Lenient(pa.DataFrameModel):
    class Config:
        strict = True
        coerce = False


class _Contract(_Lenient):
    _finite = pa.check(".*", regex=True, name="finite", error="finite", n_failure_cases=_SHOWN)(_finite)


class _Encoded(_Lenient):
    """Tables with a crystal in three list columns."""

    _crystal = _rule(
        "nine lattice numbers, at least one atom, three coordinates per atom, no gaps", _lists_make_a_crystal()
    )


class Structures(_Encoded):
    """What every table of crystals holds; each row is one periodic crystal."""

    material_id: str = _field("Identifier, unique, kept for life", unique=True, str_length={"min_value": 1})
    formula_pretty: str = _field("Reduced formula, pymatgen style", str_length={"min_value": 1})
    chemsys: str = _field("Elements, in alphabetical order, joined by '-'", str_length={"min_value": 1})
    nsites: pl.Int32 = _field("Atoms in the cell", ge=1)
    spacegroup_number: pl.Int32 = _field(
        "International space group number (moyopy, symprec 0.1)", in_range={"min_value": 1, "max_value": 230}
    )
    prototype: str = _field("Structure type without elements: stoichiometry, Pearson symbol, space group, orbits")
    decorated_prototype: str = _field(
        "The same with elements on their orbits; equal for the same composition and prototype"
    )
    lattice: pl.List(pl.Float64) = _field("Lattice vectors, one after the other (9 numbers)", "Å")  # type: ignore[valid-type]
    atomic_numbers: pl.List(pl.UInt8) = _field("Atomic number of each site")  # type: ignore[valid-type]
    frac_coords: pl.List(pl.Float64) = _field("Fractional coordinates, site after site (3 per site)")  # type: ignore[valid-type]

    _sorted = _rule(
        "elements of chemsys in alphabetical order, each once",
        pl.col("chemsys").str.split("-").list.unique().list.sort().list.join("-") == pl.col("chemsys"),
    )


class _Dated(_Lenient):
    created_at: str = _field("Day the source made the entry, YYYY-MM-DD", nullable=True)

    _day = pa.check("created_at", name="a_day", error="a day of the calendar", n_failure_cases=_SHOWN)(_a_day)


class _Sound(_Contract, Structures):
    """Tables of crystals whose columns have been compared with each other."""

    _agrees = _rule("nsites counts the atoms, chemsys the elements of the crystal", _crystal_agrees())


class Snapshot(Structures, _Dated):
    """Crystals as a source gives them, after the filters; what they say is judged by the next stage."""

    energy_per_atom: pl.Float64 = _field("Total energy on the scale of label_method", "eV/atom", nullable=True)
    formation_energy_per_atom: pl.Float64 = _field("Formation energy as the source gives it", "eV/atom", nullable=True)
    energy_above_hull: pl.Float64 = _field("Distance to the source's own convex hull", "eV/atom", nullable=True)
    uncorrected_energy_per_atom: pl.Float64 = _field("Total energy before corrections", "eV/atom", nullable=True)
    energy_correction_per_atom: pl.Float64 = _field(
        "Correction of the scheme: energy_per_atom less uncorrected_energy_per_atom", "eV/atom", nullable=True
    )
    label_method: str = _field("What the energies come from, e.g. chgnet-0.3.0 or dft-pbe", str_length={"min_value": 1})
    correction_scheme: str = _field("Correction scheme of the energies, e.g. MP2020", str_length={"min_value": 1})

    _one_kind = _rule(
        "one label_method and one correction_scheme in the whole table",
        pl.struct("label_method", "correction_scheme") == pl.struct("label_method", "correction_scheme").first(),
    )


class Validated(_Sound, Snapshot):
    """Crystals that passed every check of physics; the rest is in the quarantine."""

    _has_energy = _rule(
        "at least one of energy_per_atom and formation_energy_per_atom is given",
        pl.any_horizontal(pl.col("energy_per_atom", "formation_energy_per_atom").is_not_null()),
    )
    _above_hull = _rule("energy_above_hull not below -1e-6 eV/atom", pl.col("energy_above_hull") >= -ADDS_UP)
    _adds_up = _rule(
        "uncorrected energy and correction add up to energy_per_atom within 1e-6 eV/atom, where all three are given",
        correction_gap().abs() <= ADDS_UP,
    )


class Crystals(_Sound, _Dated):
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
        "Part of the data; holdout crystals are on the hull, but neither learned from nor tested on", isin=list(PARTS)
    )

    _formulas = _rule("no reduced formula on two sides of the split (leakage)", _on_one_side("formula_pretty"))
    _elements = _rule(
        "pure elements are in train",
        pl.col("chemsys").str.contains("-", literal=True) | (pl.col("split") == "train"),
    )


class CrystalsByChemsys(Crystals):
    """Known crystals of a campaign that is split by chemical system."""

    _systems = _rule("no chemical system on two sides of the split (leakage)", _on_one_side("chemsys"))


class Labelled(Crystals):
    """The whole snapshot on the oracle's scale, before it is split."""

    split: str = _field("Always 'train' before the split", isin=["train"])


class References(_Contract):
    """Elemental reference energies: the lowest known crystal of each element, by the oracle."""

    element: str = _field("Element symbol", unique=True, str_length={"min_value": 1, "max_value": 2})
    energy_per_atom: pl.Float64 = _field("Total energy of the lowest crystal", "eV/atom")
    material_id: str = _field("Which crystal that is")


class MemberPredictions(_Contract):
    """Predictions of one view on the validation and test crystals, long form."""

    material_id: str = _field("Crystal")
    geometry: str = _field(
        "'relaxed', or 'unrelaxed': as screening would see it, made from a training crystal of its prototype",
        isin=GEOMETRIES,
    )
    view: str = _field("composition or structure", isin=["composition", "structure"])
    member: pl.Int32 = _field("Member of the ensemble", ge=0)
    split: str = _field("validation or test", isin=["validation", "test"])
    formation_energy_per_atom_pred: pl.Float64 = _field("Prediction", "eV/atom")

    _once = _rule(
        "each member predicts a geometry once", pl.struct("material_id", "geometry", "view", "member").is_unique()
    )


class _Predicted(_Lenient):
    """What is predicted of a crystal, with its calibrated error; never rounded."""

    formation_energy_per_atom_pred: pl.Float64 = _field("Both views combined as `ensemble.combination` says", "eV/atom")
    formation_energy_per_atom_pred_composition: pl.Float64 = _field("Mean of the composition view", "eV/atom")
    formation_energy_per_atom_pred_structure: pl.Float64 = _field("Mean of the structure view", "eV/atom")
    formation_energy_per_atom_epistemic_std: pl.Float64 = _field(
        "Spread of the members of both views, not calibrated", "eV/atom", ge=0
    )
    formation_energy_per_atom_std: pl.Float64 = _field(
        "Expected size of the error, calibrated on the validation crystals", "eV/atom", gt=0
    )
    formation_energy_per_atom_lower: pl.Float64 = _field("Lower end of the calibrated 90 % interval", "eV/atom")
    formation_energy_per_atom_upper: pl.Float64 = _field("Upper end of the calibrated 90 % interval", "eV/atom")
    out_of_distribution: str = _field(
        "Why the crystal is unlike the training crystals, joined by commas: element, pair (of elements) or system "
        "(chemical system) never seen, latent (far in latent space); an empty text if it is like them"
    )

    _interval = _rule(
        "the prediction lies within its interval",
        pl.col("formation_energy_per_atom_pred").is_between(
            pl.col("formation_energy_per_atom_lower"), pl.col("formation_energy_per_atom_upper")
        ),
    )
    _reasons = _rule(
        "out_of_distribution names element, pair, system or latent, or nothing",
        (pl.col("out_of_distribution") == "")
        | (pl.col("out_of_distribution").str.split(",").list.set_difference(list(NOVELTY)).list.len() == 0),
    )


class Predictions(_Contract, _Predicted):
    """Both views combined, on the validation and test crystals."""

    material_id: str = _field("Crystal")
    geometry: str = _field("What the structure view was shown: 'relaxed' or 'unrelaxed'", isin=GEOMETRIES)
    split: str = _field("validation or test", isin=["validation", "test"])
    formation_energy_per_atom: pl.Float64 = _field("Label", "eV/atom")

    _once = _rule("each geometry is predicted once", pl.struct("material_id", "geometry").is_unique())


class Attempts(_Contract):
    """Every candidate ever given to the oracle, so that none is proposed again."""

    decorated_prototype: str = _field("Composition and prototype as proposed", unique=True)
    round: str = _field("Round that spent its budget on it")
    is_stable: bool = _field("Whether it was a discovery")


class Candidates(_Sound, _Predicted):
    """Screened candidates of a round, unrelaxed."""

    parent_id: str = _field("Known crystal whose elements were substituted")
    substitution: str = _field("What was replaced by what, e.g. 'Na>K'")
    substitution_probability: pl.Float64 = _field(
        "Hautier's conditional probability, product over the replacements", in_range={"min_value": 0, "max_value": 1}
    )
    energy_above_hull_pred: pl.Float64 = _field(
        "Predicted distance to the hull at the start of the round; negative below it", "eV/atom"
    )
    stability_probability: pl.Float64 = _field(
        "P(energy above hull <= 0) by the distribution of the validation errors; the hull is taken as exact",
        in_range={"min_value": 0, "max_value": 1},
    )
    acquired_by: str = _field("'model', 'random' (the baseline), or 'none'", isin=["model", "random", "none"])


class Verifications(_Contract, _Encoded, _Predicted):
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

    _results = _rule(
        "accepted relaxations (status ok) have energies and a crystal, refused ones have neither",
        pl.all_horizontal(
            pl.col("energy_per_atom", "formation_energy_per_atom", "energy_above_hull", "atomic_numbers").is_not_null()
            == (pl.col("status") == "ok")
        ),
    )
    _stable = _rule(
        "is_stable says: novel, and not above the hull at the start of the round",
        pl.col("is_stable") == (pl.col("is_novel") & (pl.col("energy_above_hull") <= 0).fill_null(value=False)),
    )


class Discoveries(_Sound):
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


class Drift(_Contract):
    """What became of each crystal between two snapshots; crystals in which nothing changed are left out."""

    material_id: str = _field("Crystal", unique=True, str_length={"min_value": 1})
    formula_pretty: str = _field("Reduced formula in the new snapshot, or in the old one if it was removed")
    chemsys: str = _field("Chemical system, likewise")
    presence: str = _field("Which snapshots have it", isin=["added", "removed", "kept"])
    structure: str = _field(
        "What changed in the crystal: nothing, its cell or positions, its prototype, or its composition",
        nullable=True, isin=["same", "cell", "prototype", "composition"],
    )  # fmt: skip
    energy_old: pl.Float64 = _field("Energy in the old snapshot", "eV/atom", nullable=True)
    energy_new: pl.Float64 = _field("Energy in the new snapshot", "eV/atom", nullable=True)
    energy_change: pl.Float64 = _field("New energy less old energy", "eV/atom", nullable=True)
    energy_changed: bool = _field("Whether the energy changed by more than the tolerance, appeared or vanished")
    energy_above_hull_old: pl.Float64 = _field("Distance to the hull of the old source", "eV/atom", nullable=True)
    energy_above_hull_new: pl.Float64 = _field("Distance to the hull of the new source", "eV/atom", nullable=True)
    flip: str = _field("Whether it changed sides of the hull", isin=["none", "became stable", "became unstable"])

    _compared = _rule(
        "kept crystals have a comparison of structures, others have none, nor a change of energy",
        (pl.col("structure").is_not_null() == (pl.col("presence") == "kept"))
        & ((pl.col("presence") == "kept") | pl.col("energy_change").is_null()),
    )


class SystemDrift(_Contract):
    """The changes between two snapshots by chemical system; systems in which nothing changed are left out."""

    chemsys: str = _field("Chemical system of the new snapshot, or of the old one for removed crystals", unique=True)
    n_added: pl.UInt32 = _field("Crystals only the new snapshot has")
    n_removed: pl.UInt32 = _field("Crystals only the old snapshot has")
    n_energy: pl.UInt32 = _field("Crystals whose energy changed by more than the tolerance, appeared or vanished")
    n_structure: pl.UInt32 = _field("Crystals whose cell, positions, prototype or composition changed")
    n_became_stable: pl.UInt32 = _field("Crystals that came down to the hull")
    n_became_unstable: pl.UInt32 = _field("Crystals that left the hull")
    largest_energy_change: pl.Float64 = _field("Largest change of energy without its sign", "eV/atom", nullable=True)


CONTRACTS: tuple[type[_Lenient], ...] = (
    Snapshot,
    Rejections,
    Validated,
    Labelled,
    References,
    Crystals,
    Attempts,
    MemberPredictions,
    Predictions,
    Candidates,
    Verifications,
    Discoveries,
    Drift,
    SystemDrift,
)
