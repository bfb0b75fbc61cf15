"""Queries relaxed by an oracle before they are predicted."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from lodestone.config.load import PARAMS_FILE, load_params
from lodestone.crystals.compositions import atomic_fractions
from lodestone.oracles.base import Oracle
from lodestone.oracles.pool import label_all
from lodestone.oracles.registry import make_oracle
from lodestone.oracles.store import LabelStore
from lodestone.prediction.inputs import Queries, Query, Unread
from lodestone.prediction.phases import KnownPhases
from lodestone.stability.references import formation_energies
from lodestone.tables.files import read_table
from lodestone.tables.layout import Layout
from lodestone.workspace.template import template_folder

WAITING_ORACLE = "external"  # computes nothing itself


@dataclass(frozen=True)
class Relaxed:
    """Relaxed queries, and those that would not relax.

    Attributes:
        queries: With relaxed crystals; formulas as they were.
        energies: Total energy of each relaxed crystal by name, eV/atom.
        oracle: Who relaxed.
    """

    queries: Queries
    energies: Mapping[str, float]
    oracle: Oracle


def oracle_of(campaign: Layout | None) -> Oracle:
    """The oracle of a campaign, if it can relax by itself, else that of the default campaign."""
    default = template_folder() / PARAMS_FILE
    own = None if campaign is None else campaign.data.parent / PARAMS_FILE
    params = load_params(own if own is not None and own.is_file() else default).oracle
    return make_oracle(load_params(default).oracle if params.name == WAITING_ORACLE else params)


def relaxed(queries: Queries, oracle: Oracle) -> Relaxed:
    """Relax all crystals, each on one core."""
    crystals = [query for query in queries.good if not query.is_formula]
    with tempfile.TemporaryDirectory() as folder, LabelStore(Path(folder) / "labels.sqlite") as store:
        labels = label_all(oracle, [query.crystal for query in crystals], store, f"relaxing with {oracle.name}")
    done = dict(zip((query.name for query in crystals), labels, strict=True))
    good, unread, energies = list[Query](), list(queries.unread), dict[str, float]()
    for query in queries.good:
        label = done.get(query.name)
        if label is None:
            good.append(query)
        elif label.crystal is None or label.energy_per_atom is None:
            unread.append(Unread(query.name, f"{oracle.name} could not relax it: {label.status}"))
        else:
            good.append(replace(query, crystal=label.crystal))
            energies[query.name] = label.energy_per_atom
    return Relaxed(Queries(good, unread), energies, oracle)


def oracle_columns(
    queries: Sequence[Query], result: Relaxed, phases: KnownPhases | None, campaign: Layout | None
) -> pl.DataFrame:
    """What the oracle itself says: energies, and distances to a hull that is made of the same oracle's energies.

    Args:
        queries: Rows of the table of predictions.
        result: Relaxed crystals and their energies.
        phases: The hull.
        campaign: Of the model; it has the references.
    """
    total = np.array([result.energies.get(query.name, np.nan) for query in queries])
    columns = {"oracle_energy_per_atom": total, "oracle_energy_above_hull": np.full(len(total), np.nan)}
    references = None if campaign is None else campaign.references
    same = phases is not None and phases.scale.label_method == result.oracle.name
    if phases is not None and same and references is not None and references.is_file():
        fractions = atomic_fractions([query.crystal.atomic_numbers for query in queries])
        formation = formation_energies(fractions, total, read_table(references))
        columns["oracle_energy_above_hull"] = formation - phases.hull.hull_energies(fractions)
    return pl.DataFrame(columns).fill_nan(None)
