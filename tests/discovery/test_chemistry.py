"""Candidates stay inside the chemistry of the snapshot: outside of it the phases that compete are not known."""

import numpy as np
import polars as pl
import pytest

from lodestone.config.load import load_params
from lodestone.config.sections import Filters
from lodestone.crystals.chemistry import is_allowed
from lodestone.tables.files import read_table


@pytest.fixture(scope="module")
def known():
    rows = read_table(load_params().snapshot.path).filter(pl.col("nsites") <= 5)
    elements = rows.filter(~pl.col("chemsys").str.contains("-"))
    return (
        pl.concat([rows.head(300), elements])
        .unique("material_id", maintain_order=True)
        .with_columns(energy_above_hull=pl.lit(0.0))
    )


@pytest.mark.parametrize("required", [None, ("O", "F")])
def test_candidates_hold_one_of_the_required_elements(known, substitute, required):
    allowed = frozenset(["Na", "Mg", "Al", "O", "F", "S", "Ni", "Si"])
    filters = Filters(require_any_of=required)
    proposals = substitute(known, allowed, np.random.default_rng(0), filters=filters, limit=300).items
    held = [bool(set(proposal.crystal.species) & {"O", "F"}) for _, proposal in proposals]
    assert proposals
    assert all(held) == (required is not None)


SYSTEMS = ("Li-Mg-O-Ti", "Na-Al-S-Zn")


def test_no_candidate_lies_outside_the_chemical_systems_of_the_snapshot(known, substitute):
    filters = Filters(chemical_systems=SYSTEMS)
    inside = known.filter(pl.Series([is_allowed(set(system.split("-")), filters) for system in known["chemsys"]]))
    elements = frozenset("Li Mg O Ti Na Al S Zn".split())
    proposals = substitute(inside, elements, np.random.default_rng(0), filters=filters)
    assert proposals.items
    assert proposals.dropped["outside"] > 0
    for _, proposal in proposals.items:
        assert any(set(proposal.crystal.species) <= set(system.split("-")) for system in SYSTEMS)


def test_no_pure_element_is_proposed(known, substitute):
    assert (~known["chemsys"].str.contains("-")).any()
    proposals = substitute(known, frozenset(["Na", "Ni", "Si", "Al"]), np.random.default_rng(0), limit=2000).items
    assert min(len(set(proposal.crystal.species)) for _, proposal in proposals) > 1
