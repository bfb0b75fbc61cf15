"""What a round of active learning proposes, verifies and finds."""

from __future__ import annotations

import polars as pl

from lodestone.schemas.columns import Contract, Lenient, check, field
from lodestone.schemas.crystals import Encoded, Sound
from lodestone.schemas.predictions import Predicted


class Attempts(Contract):
    """Every candidate ever given to the oracle, so that none is proposed again."""

    decorated_prototype: str = field("Composition and prototype as proposed", unique=True)
    chemsys: str = field("Chemical system", str_length={"min_value": 1})
    round: str = field("Round that spent its budget on it")
    is_stable: bool = field("Whether it was a hit")
    is_discovery: bool = field("Whether it was a discovery")
    hull_is_incomplete: bool = field(
        "Whether it lay more than `discovery.max_depth` below the hull: later rounds propose in its system first"
    )

    _verdicts = check(
        "a hit is no sign of an incomplete hull, a discovery is a hit",
        ~(pl.col("is_stable") & pl.col("hull_is_incomplete")) & (pl.col("is_stable") | ~pl.col("is_discovery")),
    )


class Proposed(Lenient):
    """Tables that know where a candidate comes from."""

    generator: str = field("Who proposed it, by its name in `discovery.generators`", str_length={"min_value": 1})
    provenance: str = field(
        'What it was made from, in words of its generator: JSON with sorted keys, e.g. `{"parent": "mp-1", …}`'
    )

    _provenance = check("provenance is one object in JSON", pl.col("provenance").str.contains(r"^\{.*\}$"))


class Candidates(Sound, Predicted, Proposed):
    """Screened candidates of a round, unrelaxed."""

    weight: pl.Float64 = field(
        "How likely the generator holds it (substitution: Hautier's conditional probability, product over the "
        "replacements); comparable among candidates of one generator only",
        ge=0,
    )
    energy_above_hull_pred: pl.Float64 = field(
        "Predicted distance to the hull at the start of the round; negative below it", "eV/atom"
    )
    stability_probability: pl.Float64 = field(
        "P(energy above hull <= 0) by the distribution of the validation errors; the hull is taken as exact",
        in_range={"min_value": 0, "max_value": 1},
    )
    incomplete_probability: pl.Float64 = field(
        "P(energy above hull < -`discovery.max_depth`), likewise: the part of stability_probability that would be no "
        "hit, but show an incomplete hull",
        in_range={"min_value": 0, "max_value": 1},
    )
    acquired_by: str = field("'model', 'random' (the baseline), or 'none'", isin=["model", "random", "none"])

    _part = check(
        "incomplete_probability is a part of stability_probability",
        pl.col("incomplete_probability") <= pl.col("stability_probability"),
    )


class Verifications(Contract, Encoded, Predicted, Proposed):
    """What the oracle said about each acquired candidate; rejected ones keep their reason."""

    material_id: str = field("Candidate", unique=True)
    round: str = field("Round")
    acquired_by: str = field("'model' or 'random' (the baseline)", isin=["model", "random"])
    formula_pretty: str = field("Reduced formula")
    chemsys: str = field("Chemical system")
    status: str = field("'ok', or why the relaxation is refused")
    n_steps: pl.Int32 = field("Relaxation steps", ge=0)
    energy_above_hull_pred: pl.Float64 = field("Predicted distance to the hull at the start of the round", "eV/atom")
    stability_probability: pl.Float64 = field(
        "Predicted probability of being stable", in_range={"min_value": 0, "max_value": 1}
    )
    incomplete_probability: pl.Float64 = field(
        "Predicted probability of lying more than `discovery.max_depth` below the hull",
        in_range={"min_value": 0, "max_value": 1},
    )
    energy_per_atom: pl.Float64 = field("Total energy by the oracle", "eV/atom", nullable=True)
    formation_energy_per_atom: pl.Float64 = field("Verified formation energy", "eV/atom", nullable=True)
    energy_above_hull: pl.Float64 = field(
        "Distance to the hull known at the start of the round; negative below it", "eV/atom", nullable=True
    )
    n_competing_phases: pl.Int32 = field(
        "How dense the hull is here: compounds (formulas) known at the start of the round in its chemical system and "
        "subsystems",
        ge=0,
    )
    decomposition: str = field("Phases of the hull at the start of the round at this composition", nullable=True)
    same_as: str = field(
        "Known crystal, or lower candidate of the round, that the relaxed crystal is: by label, or atom by atom",
        nullable=True,
    )
    is_new: bool = field("Accepted, and the same as no other")
    stable_below: pl.Float64 = field(
        "Distance to the hull at which it counts as stable: 0, but where its formula is known, "
        "`discovery.stability_tolerance` below the best crystal of that formula",
        "eV/atom",
        nullable=True,
        le=0,
    )
    is_stable: bool = field(
        "A hit: new, not above the hull at the start of the round (see stable_below), and not more than "
        "`discovery.max_depth` below it"
    )
    is_discovery: bool = field(
        "A hit at least `discovery.min_depth` below the hull, on which it stays with the other new crystals of its "
        "round; another hit is undecided or overtaken"
    )
    hull_is_incomplete: bool = field(
        "New, and more than `discovery.max_depth` below the hull at the start of the round: phases must be missing "
        "there, so that it is no discovery; it joins the known crystals all the same"
    )
    spacegroup_number: pl.Int32 = field("Space group of the relaxed crystal", nullable=True)
    prototype: str = field("Prototype of the relaxed crystal", nullable=True)
    decorated_prototype: str = field("Composition and prototype of the relaxed crystal", nullable=True)
    lattice: pl.List(pl.Float64) = field("Relaxed lattice", "Å", nullable=True)  # type: ignore[valid-type]
    atomic_numbers: pl.List(pl.UInt8) = field("Atomic numbers of the relaxed crystal", nullable=True)  # type: ignore[valid-type]
    frac_coords: pl.List(pl.Float64) = field("Relaxed fractional coordinates", nullable=True)  # type: ignore[valid-type]

    _results = check(
        "accepted relaxations (status ok) have energies and a crystal, refused ones have neither",
        pl.all_horizontal(
            pl.col(
                "energy_per_atom", "formation_energy_per_atom", "energy_above_hull", "stable_below", "atomic_numbers"
            ).is_not_null()
            == (pl.col("status") == "ok")
        ),
    )
    _new = check(
        "is_new says: accepted, and the same as no other",
        pl.col("is_new") == ((pl.col("status") == "ok") & pl.col("same_as").is_null()),
    )
    _stable = check(
        "is_stable says: new, and not above stable_below; or else hull_is_incomplete does, never both",
        (pl.col("is_stable").cast(pl.Int8) + pl.col("hull_is_incomplete").cast(pl.Int8))
        == (pl.col("is_new") & (pl.col("energy_above_hull") <= pl.col("stable_below")).fill_null(value=False)),
    )
    _decided = check("a discovery is a hit", pl.col("is_stable") | ~pl.col("is_discovery"))
    _deeper = check(
        "what shows an incomplete hull lies deeper than any hit of its round",
        ~pl.col("hull_is_incomplete")
        | (
            pl.col("energy_above_hull")
            < pl.col("energy_above_hull").filter("is_stable").min().over("round").fill_null(0.0)
        ),
    )


class Discoveries(Sound, Proposed):
    """Crystals found by the campaign: `min_depth` to `max_depth` below the hull at the start of their round."""

    round: str = field("Round that found it")
    acquired_by: str = field("'model' or 'random'", isin=["model", "random"])
    energy_per_atom: pl.Float64 = field("Total energy by the oracle", "eV/atom")
    formation_energy_per_atom: pl.Float64 = field("Verified formation energy", "eV/atom")
    formation_energy_per_atom_pred: pl.Float64 = field("Prediction before verification", "eV/atom")
    energy_above_hull_start: pl.Float64 = field(
        "Against the hull at the start of its round (negative: below it)", "eV/atom", le=0
    )
    energy_above_hull: pl.Float64 = field("Against the hull at the end of the campaign", "eV/atom", ge=0)
    n_competing_phases: pl.Int32 = field(
        "How dense the hull is here: compounds (formulas) known at the start of its round in its chemical system and "
        "subsystems",
        ge=0,
    )
    decomposition: str = field("What it would decompose to on the hull at the start of its round")
    novelty: str = field(
        "What is new about it against all that was known when the campaign began: 'new prototype' (no known crystal "
        "has its prototype, whatever the elements), else 'new composition' (none has its formula), else 'polymorph', "
        "or 'known formula' if no structure of that formula is known; 'known' if one is the same crystal after all",
        isin=["new prototype", "new composition", "polymorph", "known formula", "known"],
    )
    known_as: str = field("The same crystal, or the lowest known one of its formula, then known", nullable=True)
    likely_disorder: str = field(
        "Similar elements on sites that symmetry would make equal, were they one element, as `Mg/Ni`: when made, they "
        "likely share these sites",
        nullable=True,
    )
    disorder_family: str = field(
        "The disordered crystal of which it would be an ordered child, as `(Mg,Ni)O` and its prototype", nullable=True
    )

    n_verdicts: pl.Int32 = field(
        "Oracles with a verdict on it, the campaign's own included; null where no further one was asked",
        ge=1,
        nullable=True,
    )
    disputed_by: str = field(
        "Those that do not call it stable on their own hulls, comma-separated; empty where all agree", nullable=True
    )
    dynamical_stability: str = field(
        "Whether its phonons have no imaginary frequency; null where nobody has looked",
        isin=["stable", "unstable", "undecided", "not computed"],
        nullable=True,
    )

    _relative = check(
        "known_as says: of a known formula",
        (pl.col("novelty") == "new prototype")
        | (pl.col("known_as").is_null() == (pl.col("novelty") == "new composition")),
    )
    _disordered = check(
        "likely_disorder and disorder_family come together",
        pl.col("likely_disorder").is_null() == pl.col("disorder_family").is_null(),
    )
    _judged = check(
        "n_verdicts and disputed_by come together", pl.col("n_verdicts").is_null() == pl.col("disputed_by").is_null()
    )
