"""Candidates stay inside the chemistry of the snapshot: outside of it the phases that compete are not known."""

import numpy as np
import polars as pl
import pytest

from lodestone.config.load import load_params
from lodestone.discovery.generators.substitution import propose
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
def test_candidates_hold_one_of_the_required_elements(known, required):
    settings = load_params().discovery.model_copy(update={"max_proposals": 300})
    allowed = frozenset(["Na", "Mg", "Al", "O", "F", "S", "Ni", "Si"])
    found = propose(known, set(), allowed, settings, np.random.default_rng(0), required).items
    held = [bool(set(item.crystal.species) & {"O", "F"}) for item in found]
    assert found
    assert all(held) == (required is not None)


def test_no_pure_element_is_proposed(known):
    settings = load_params().discovery.model_copy(update={"max_proposals": 2000})
    assert (~known["chemsys"].str.contains("-")).any()
    found = propose(known, set(), frozenset(["Na", "Ni", "Si", "Al"]), settings, np.random.default_rng(0)).items
    assert min(len(set(item.crystal.species)) for item in found) > 1
