"""Bring results into the label store: matched with the candidates, checked, and never lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np
import polars as pl

from lodestone.cluster.results import Result
from lodestone.cluster.waiting import Chosen
from lodestone.crystals.compositions import atomic_fractions
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import reduced_formula
from lodestone.oracles.base import Label, Oracle
from lodestone.oracles.store import LabelStore
from lodestone.stability.references import formation_energies

SAME = 1e-6  # eV/atom: energies that differ by less are one
NOT_COMPUTED = "not_computed"  # the verdict on candidates for which the user waits no longer


@dataclass(frozen=True)
class Import:
    """What became of some results.

    Attributes:
        labels: New labels by the identifier of the candidate.
        known: Candidates whose label was there already, and is the same.
        unrelaxed: Those of the new labels whose file held no crystal: the candidate's own stands for it.
        refused: Results that were not taken, each with its fault.
    """

    labels: Mapping[str, Label]
    known: Sequence[str]
    unrelaxed: Sequence[str]
    refused: Sequence[Result]


@dataclass(frozen=True)
class Bounds:
    """Which energies are plausible.

    Attributes:
        references: Contract :class:`lodestone.schemas.References`.
        formation_energy: Allowed range, eV/atom; ``validate.formation_energy``.
    """

    references: pl.DataFrame
    formation_energy: tuple[float, float]

    def fault(self, crystal: Crystal, energy_per_atom: float) -> str | None:
        """Why a total energy, eV/atom, cannot be that of a crystal, or ``None``."""
        formation = self._formation_energy(crystal, energy_per_atom)
        if self._is_inside(formation):
            return None
        per_cell = self._is_inside(self._formation_energy(crystal, energy_per_atom / len(crystal)))
        hint = ": looks like eV per cell; divide by the number of atoms" if per_cell else ""
        low, high = self.formation_energy
        return f"has a formation energy of {formation:.3f} eV/atom, outside {low} to {high}{hint}"

    def _formation_energy(self, crystal: Crystal, energy_per_atom: float) -> float:
        fractions = atomic_fractions([crystal.atomic_numbers])
        return float(formation_energies(fractions, np.array([energy_per_atom]), self.references)[0])

    def _is_inside(self, formation_energy: float) -> bool:
        low, high = self.formation_energy
        return low <= formation_energy <= high


def match(
    results: Sequence[Result], candidates: Sequence[Chosen], bounds: Bounds, *, replace_labels: bool = False
) -> Import:
    """Match results with candidates and check them.

    Args:
        results: As :func:`lodestone.cluster.results.read_results` gives them.
        candidates: Chosen by the rounds.
        bounds: Which energies are plausible.
        replace_labels: Whether a result may replace another label of the same candidate.
    """
    by_name = {candidate.material_id: candidate for candidate in candidates}
    owners = [_candidate_id(result.name, by_name) for result in results]
    labels: dict[str, Label] = {}
    known, unrelaxed, refused = [], [], []
    for result, owner in zip(results, owners, strict=True):
        candidate = by_name.get(owner or "")
        fault = result.fault or _fault(result, candidate, bounds, several=owners.count(owner) > 1)
        if fault or candidate is None:
            refused.append(replace(result, fault=fault))
        elif _is_same(candidate.label, label := _label(result, candidate)):
            known.append(candidate.material_id)
        elif candidate.has_energy and not replace_labels:
            refused.append(replace(result, fault="has another label already; --replace takes this one"))
        else:
            labels[candidate.material_id] = label
            unrelaxed += [candidate.material_id] if label.ok and result.crystal is None else []
    return Import(labels, known, unrelaxed, refused)


def store_labels(
    labels: Mapping[str, Label], candidates: Sequence[Chosen], oracle: Oracle, store: LabelStore
) -> list[str]:
    """Keep new labels under the keys by which the rounds look for them.

    Returns:
        Rounds that have gone on already, and to which these labels are news.
    """
    owners = [candidate for candidate in candidates if candidate.material_id in labels]
    for candidate in owners:
        store.put(candidate.key, oracle, labels[candidate.material_id])
    return sorted({candidate.round for candidate in owners if candidate.is_over})


def close(candidates: Sequence[Chosen], oracle: Oracle, store: LabelStore) -> list[str]:
    """Wait no longer: what has no label is refused as not computed, and counts as a miss.

    A result that comes in later replaces that verdict, as long as the round has not gone on.

    Returns:
        The candidates that this became of.
    """
    left = [candidate for candidate in candidates if candidate.label is None]
    for candidate in left:
        store.put(candidate.key, oracle, Label(NOT_COMPUTED))
    return [candidate.material_id for candidate in left]


def _candidate_id(name: str, candidates: Mapping[str, Chosen]) -> str | None:
    """The candidate that a result is of: by its very name, or by the innermost folder of a run that is called so."""
    parts = [name, *reversed(PurePosixPath(name).parts)]
    return next((part for part in parts if part in candidates), None)


def _fault(result: Result, candidate: Chosen | None, bounds: Bounds, *, several: bool) -> str | None:
    if candidate is None:
        return "is no candidate that a round has chosen"
    if several:
        return f"is one of several results for {candidate.material_id}: keep the one that counts"
    if result.crystal is not None:
        formula = reduced_formula(result.crystal.atomic_numbers)
        if formula != candidate.formula:
            return f"is a crystal of {formula}, but {candidate.material_id} is {candidate.formula}"
    label = _label(result, candidate)
    if label.crystal is None or label.energy_per_atom is None:
        return None
    return bounds.fault(label.crystal, label.energy_per_atom)


def _label(result: Result, candidate: Chosen) -> Label:
    if result.verdict is not None:
        return Label(result.verdict)
    return Label("ok", result.energy_per_atom, result.crystal or candidate.crystal)


def _is_same(known: Label | None, label: Label) -> bool:
    if known is None or known.status != label.status:
        return False
    if known.energy_per_atom is None or label.energy_per_atom is None:
        return True
    return abs(known.energy_per_atom - label.energy_per_atom) <= SAME
