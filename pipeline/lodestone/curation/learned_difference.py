"""Learn what an oracle's energies differ by from those of a source (:mod:`lodestone.curation.difference`)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from math import fsum

import numpy as np
import polars as pl

from lodestone.corrections.schemes import scheme
from lodestone.crystals.compositions import N_ELEMENTS, atomic_fractions, weighted_sums
from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.curation.difference import ALL, Difference, by_number, chemistry_name, rules
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Label

MOST_SITES = 20  # of a crystal to learn from: larger cells take an oracle long
ENOUGH = 20  # crystals of a chemistry from which its own error is taken
_FOLDS = 5
_LARGE = 0.05  # eV/atom: larger differences count less in the fit, by Huber's rule
_RIDGE = 0.03  # holds the energies of rare elements near those of the pure elements
_ROUNDS = 8  # of reweighting
_NORMAL = 1.2533  # standard deviation over mean absolute error of normal errors
_DIGITS = 6


def drawn(crystals: pl.DataFrame, n: int, *, max_sites: int = MOST_SITES, least: int = 5) -> pl.DataFrame:
    """Compounds to learn a difference from: of each element a few, and others at random.

    The lot of a crystal is a hash of its name, so that it does not depend on the other crystals.

    Args:
        crystals: Columns ``material_id``, ``chemsys``, ``nsites``.
        n: How many are drawn, if so many are needed for each element even more.
        max_sites: Larger cells take the oracle long.
        least: Crystals of each element, where there are so many.
    """
    compounds = crystals.filter(pl.col("chemsys").str.contains("-", literal=True) & (pl.col("nsites") <= max_sites))
    lots = pl.Series("_lot", [_lot(name) for name in compounds["material_id"]], dtype=pl.String)
    ordered = compounds.with_columns(lots).sort("_lot", "material_id").drop("_lot")
    seen: Counter[str] = Counter()
    needed = []
    for row, system in enumerate(ordered["chemsys"]):
        elements = system.split("-")
        if any(seen[element] < least for element in elements):
            needed.append(row)
            seen.update(elements)
    others = [row for row in range(len(ordered)) if row not in set(needed)]
    return ordered[sorted(needed + others[: max(0, n - len(needed))])]


def learned(
    kind: str,
    known: Sequence[tuple[str, float, Label]],
    elements: Mapping[str, float],
    schemes: tuple[str, str] | None,
) -> Difference:
    """Learn a difference.

    Args:
        kind: ``corrections``, ``learned`` or ``both``.
        known: Formula, energy of the source (eV/atom) and label of the oracle of each crystal.
        elements: For each element, energy of the source less that of the oracle, eV/atom.
        schemes: Correction schemes of the oracle and of the source, for all kinds but ``learned``.

    Raises:
        LodestoneError: If there are too few labels to measure the error, or a scheme is not known.
    """
    good = [one for one in known if one[2].crystal is not None and one[2].energy_per_atom is not None]
    if len(good) < ENOUGH:
        raise LodestoneError(
            f"the oracle labelled {len(good)} of {len(known)} crystals, too few to learn the difference from",
            f"raise label.difference_crystals; at least {ENOUGH} are needed",
        )
    crystals = [label.crystal for _, _, label in good if label.crystal is not None]
    applied = schemes if kind != "learned" else None
    fractions = atomic_fractions([crystal.atomic_numbers for crystal in crystals])
    prior = _of_elements(elements, applied)
    given = np.array([energy - (label.energy_per_atom or 0.0) for _, energy, label in good])
    left = given - rules(crystals, applied) - weighted_sums(fractions, prior)
    folds = np.array([int(hashlib.md5(f.encode(), usedforsecurity=False).hexdigest(), 16) % _FOLDS for f, _, _ in good])
    fits = kind != "corrections"
    error = _left_out(fractions, left, folds) if fits else left
    offsets = prior + (_fitted(fractions, left) if fits else 0.0)
    return Difference(
        kind=kind,
        offsets={symbol: round(float(offsets[ATOMIC_NUMBERS[symbol]]), _DIGITS) for symbol in sorted(elements)},
        schemes=applied,
        errors=_errors(error, [chemistry_name(crystal) for crystal in crystals]),
        versions={name: scheme(name).version for name in applied or ()},
    )


def _of_elements(elements: Mapping[str, float], schemes: tuple[str, str] | None) -> np.ndarray:
    """Differences of the elements that the rules of the schemes do not account for, shape ``(N_ELEMENTS,)``."""
    if schemes is None:
        return by_number(elements)
    old, new = map(scheme, schemes)
    return by_number(
        {one: gap - new.elements.get(one, 0.0) + old.elements.get(one, 0.0) for one, gap in elements.items()}
    )


def _fitted(fractions: np.ndarray, left: np.ndarray) -> np.ndarray:
    """An energy for each element, shape ``(N_ELEMENTS,)``: a ridge regression, robust by reweighting."""
    weights = np.ones(len(left))
    for _ in range(_ROUNDS):
        weighted = fractions.T * weights
        found = np.linalg.solve(weighted @ fractions + _RIDGE * np.eye(N_ELEMENTS), weighted @ left)
        weights = 1 / np.maximum(1.0, np.abs(left - fractions @ found) / _LARGE)
    return np.asarray(found)


def _left_out(fractions: np.ndarray, left: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Errors of crystals whose formulas were left out of the fit, shape ``(n,)``."""
    errors = np.zeros(len(left))
    for fold in np.unique(folds):
        out = folds == fold
        errors[out] = left[out] - fractions[out] @ _fitted(fractions[~out], left[~out])
    return errors


def _errors(error: np.ndarray, names: Sequence[str]) -> dict[str, dict[str, float]]:
    groups = {ALL: np.ones(len(error), dtype=bool)} | {one: np.array(names) == one for one in sorted(set(names))}
    return {name: _size(error[rows]) for name, rows in groups.items() if name == ALL or rows.sum() >= ENOUGH}


def _size(error: np.ndarray) -> dict[str, float]:
    mae = fsum(np.abs(error)) / len(error)
    numbers = {"mae": mae, "bias": fsum(error) / len(error), "std": _NORMAL * mae}
    return {"n": len(error)} | {name: round(number, _DIGITS) for name, number in numbers.items()}


def _lot(name: str) -> str:
    return hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
