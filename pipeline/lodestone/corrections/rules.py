"""Corrections of one crystal by a scheme, and formation energies brought from one scheme to another."""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import fsum

import polars as pl

from lodestone.corrections.chemistry import Chemistry
from lodestone.corrections.schemes import Scheme

_SCHEMA = {
    "formation_energy_change": pl.Float64,
    "scheme_from": pl.String,
    "scheme_to": pl.String,
    "oxidation_states": pl.String,
    "adjustments_from": pl.String,
    "adjustments_to": pl.String,
}


def adjustments(chemistry: Chemistry, scheme: Scheme) -> dict[str, float]:
    """What a scheme adds to the total energy of a crystal, eV/atom, by the reason.

    The Materials Project computes oxides and fluorides of some metals with a Hubbard U; it is taken for granted here.
    """
    counts, total = chemistry.counts, sum(chemistry.counts.values())
    if len(counts) == 1:
        (symbol,) = counts
        return {f"element {symbol}": scheme.elements[symbol]} if symbol in scheme.elements else {}
    added: dict[str, float] = {}
    if "S" in counts and not chemistry.sulfate:
        added["sulfide"] = scheme.sulfide * counts["S"]
    if "O" in counts:
        oxygen = chemistry.bonded_oxygen if scheme.bonded_oxygen_only else counts["O"]
        added[chemistry.oxide] = scheme.oxygen[chemistry.oxide] * oxygen
    for symbol, energy in scheme.anions.items():
        if symbol in counts and chemistry.is_anion(symbol):
            added[f"anion {symbol}"] = energy * counts[symbol]
    if chemistry.last in ("O", "F"):
        added |= {f"U of {s}": e * counts[s] for s, e in scheme.hubbard_u.items() if s in counts}
    return {reason: energy / total for reason, energy in added.items()}


def correction(chemistry: Chemistry, scheme: Scheme) -> float:
    """What a scheme adds to the total energy of a crystal, eV/atom."""
    return fsum(adjustments(chemistry, scheme).values())


def formation_correction(chemistry: Chemistry, scheme: Scheme) -> float:
    """What a scheme adds to a formation energy, eV/atom: the correction of the crystal less those of its elements."""
    total = sum(chemistry.counts.values())
    of_elements = [n * scheme.elements.get(symbol, 0.0) / total for symbol, n in chemistry.counts.items()]
    return correction(chemistry, scheme) - fsum(of_elements)


def formation_change(chemistry: Chemistry, old: Scheme, new: Scheme) -> float:
    """What a formation energy changes by from one scheme to another, eV/atom."""
    return formation_correction(chemistry, new) - formation_correction(chemistry, old)


def changes(chemistries: Iterable[Chemistry], old: Scheme, new: Scheme) -> pl.DataFrame:
    """How each formation energy changes, and everything that this follows from.

    Returns:
        ``formation_energy_change`` (eV/atom), both schemes with their versions, the oxidation states, and the
        adjustments of both schemes (JSON, eV/atom).
    """
    names = [f"{scheme.name} ({scheme.version})" for scheme in (old, new)]
    rows = [
        (formation_change(one, old, new), *names, _text(one.states), *(_text(adjustments(one, s)) for s in (old, new)))
        for one in chemistries
    ]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _text(content: object) -> str:
    return json.dumps(content, sort_keys=True)
