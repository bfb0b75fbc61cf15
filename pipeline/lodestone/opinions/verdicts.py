"""What one oracle says of one find, on the hull of its own energies alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from lodestone.crystals.compositions import fractions_of_formulas
from lodestone.opinions.contests import Contest
from lodestone.oracles.base import Label
from lodestone.report.discoveries import ON_HULL
from lodestone.stability.hull import ConvexHull
from lodestone.stability.references import elemental_references, formation_energies

NO_STRUCTURE = Label("no_structure")  # of a phase of which the campaign knows the energy alone
Verdict = dict[str, Any]


def verdict(contest: Contest, labels: Mapping[str, Label]) -> Verdict:
    """The verdict of an oracle.

    Args:
        contest: The find and the phases that it is held against.
        labels: The oracle's labels by identifier; all energies of the hull, those of the elements included, are these.

    Returns:
        ``energy_above_hull``, eV/atom, of the find to the hull without it, negative below; ``says_stable``;
        ``n_competing`` and ``n_missing``, the phases with and without a label; ``reason``. The first two are ``None``
        where there is a reason why nothing can be said: without a phase that matters the hull is too high.
    """
    given = [labels.get(name, NO_STRUCTURE) for name in contest.phases["material_id"]]
    ok = pl.Series([label.ok for label in given], dtype=pl.Boolean)
    counts = {"n_competing": int(ok.sum()), "n_missing": int((~ok).sum())}
    reason = _reason(contest, given, labels)
    if reason is not None:
        return counts | {"energy_above_hull": None, "says_stable": None, "reason": reason}
    energies = pl.Series("energy_per_atom", [label.energy_per_atom for label in given if label.ok], dtype=pl.Float64)
    distance = _distance(contest, contest.phases.filter(ok).with_columns(energies), labels)
    return counts | {"energy_above_hull": distance, "says_stable": distance <= ON_HULL, "reason": None}


def _reason(contest: Contest, given: list[Label], labels: Mapping[str, Label]) -> str | None:
    """Why nothing can be said, or ``None``."""
    own = labels.get(str(contest.find["material_id"]), NO_STRUCTURE)
    if not own.ok:
        return f"the find: {own.status}"
    unknown = sorted(set(contest.elements) - set(contest.phases["chemsys"]))
    if unknown:
        return f"{unknown[0]}: no crystal of the element"
    rows = zip(contest.phases.select("formula_pretty", "is_needed").iter_rows(), given, strict=True)
    return next((f"{formula}: {label.status}" for (formula, needed), label in rows if needed and not label.ok), None)


def _distance(contest: Contest, phases: pl.DataFrame, labels: Mapping[str, Label]) -> float:
    """Of the find to the hull of some phases with ``energy_per_atom``."""
    formulas = [*phases["formula_pretty"], contest.find["formula_pretty"]]
    own = labels[contest.find["material_id"]].energy_per_atom
    fractions = fractions_of_formulas(formulas)
    formed = formation_energies(
        fractions, np.array([*phases["energy_per_atom"], own], dtype=float), elemental_references(phases)
    )
    hull = ConvexHull(fractions[:-1], formed[:-1])
    return float(hull.energies_above_hull(fractions[-1:], formed[-1:])[0])
