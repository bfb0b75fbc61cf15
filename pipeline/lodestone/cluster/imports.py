"""Bring results into the label store: matched with the candidates, checked, and never lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from lodestone.cluster.results import Result
from lodestone.cluster.waiting import Chosen
from lodestone.crystals.encoding import reduced_formula
from lodestone.oracles.base import Label, Oracle
from lodestone.oracles.store import LabelStore

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


def match(results: Sequence[Result], candidates: Sequence[Chosen], *, replace_labels: bool = False) -> Import:
    """Match results with candidates and check them.

    Args:
        results: As :func:`lodestone.cluster.results.read_results` gives them.
        candidates: Chosen by the rounds.
        replace_labels: Whether a result may replace another label of the same candidate.
    """
    by_name = {candidate.material_id: candidate for candidate in candidates}
    named = [(result, _candidate_id(result.name, by_name)) for result in results]
    ids = [found for _, found in named]
    labels: dict[str, Label] = {}
    known, unrelaxed, refused = [], [], []
    for result, found in named:
        fault = result.fault or _fault(result, by_name.get(found or ""), several=ids.count(found) > 1)
        if fault or found is None:
            refused.append(replace(result, fault=fault))
            continue
        candidate = by_name[found]
        label = _label(result, candidate)
        if _is_same(candidate.label, label):
            known.append(found)
        elif candidate.label is not None and candidate.label.ok and not replace_labels:
            told = f"has another label already: {candidate.label.energy_per_atom:.6f} eV/atom; --replace takes this"
            refused.append(replace(result, fault=told))
        else:
            labels[found] = label
            unrelaxed += [found] if label.ok and result.crystal is None else []
    return Import(labels, known, unrelaxed, refused)


def store_labels(found: Import, candidates: Sequence[Chosen], oracle: Oracle, store: LabelStore) -> None:
    """Keep the new labels under the keys by which the round looks for them."""
    keys = {candidate.material_id: candidate.key for candidate in candidates}
    for name, label in found.labels.items():
        store.put(keys[name], oracle, label)


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


def _fault(result: Result, candidate: Chosen | None, *, several: bool) -> str | None:
    if candidate is None:
        return "is no candidate that a round has chosen"
    if several:
        return f"is one of several results for {candidate.material_id}: keep the one that counts"
    if result.crystal is not None:
        formula = reduced_formula(result.crystal.atomic_numbers)
        if formula != candidate.formula:
            return f"is a crystal of {formula}, but {candidate.material_id} is {candidate.formula}"
    return None


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
