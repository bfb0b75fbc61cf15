"""Fingerprints: the same in every cell, near for crystals that are nearly the same, far for others."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from structure_types import layered_rock_salt, perovskite, relaxed, rock_salt

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.crystals.supercells import supercell
from lodestone.discovery.duplicates import reduced, same_structure
from lodestone.novelty.fingerprints import are_near, fingerprint


def test_that_of_rock_salt_is_known():
    """Six neighbors of the other element at half the edge, then some of the twelve of its own along a face's half."""
    unit = 1 / np.cbrt(8.0)
    expected = [0.5 / unit] * 6 + [np.sqrt(0.5) / unit] * 6
    prints = fingerprint(rock_salt("Na", "Cl", 5.6))
    assert prints.shape == (2, 12)
    assert prints == pytest.approx(np.array([expected] * 2))


def test_it_does_not_depend_on_cell_scale_and_order_of_atoms():
    crystal = perovskite("Ca", "Ti", "O", 3.85)
    doubled = supercell(crystal, ((1, 0, 1), (0, 2, 0), (0, 0, 3))).scaled_to(1000.0)
    order = np.random.default_rng(0).permutation(len(doubled))
    other = Crystal(doubled.lattice, doubled.atomic_numbers[order], doubled.frac_coords[order])
    assert fingerprint(other) == pytest.approx(fingerprint(crystal), abs=1e-9)


def test_neighbors_are_found_however_far_they_are():
    """One atom in a flat cell: its neighbors along one axis come last."""
    flat = Crystal(np.diag([3.0, 3.0, 30.0]), np.array([6]), np.zeros((1, 3)))
    assert fingerprint(flat, neighbors=60).shape == (1, 60)


def test_layers_are_equal_whichever_element_comes_first():
    one, other = layered_rock_salt("Mg", "Ni", "O", 4.2), layered_rock_salt("Ni", "Mg", "O", 4.2)
    assert are_near(fingerprint(one), fingerprint(other)[None], 1e-9).tolist() == [True]


def test_structures_of_one_formula_with_other_coordination_are_far():
    salt = rock_salt("Zn", "S", 5.0)
    blende = Crystal(salt.lattice, salt.atomic_numbers, salt.frac_coords / 2)
    assert are_near(fingerprint(salt), np.array([fingerprint(salt), fingerprint(blende)])).tolist() == [True, False]


@pytest.mark.slow
def test_no_pair_that_the_matcher_holds_for_equal_is_ruled_out(shared_data):
    """Crystals of the Materials Project, strained and shaken up to the tolerances of the matcher."""
    rows = pl.read_parquet(shared_data / "mp_structures.parquet", columns=["structure", "nsites"])
    rows = rows.filter(pl.col("nsites") <= 12).sample(120, seed=4)
    draw, equal = np.random.default_rng(0), []
    for text in rows["structure"]:
        crystal = _parsed(text)
        other = _moved(crystal, draw)
        if same_structure(reduced(crystal.to_pymatgen()), reduced(other.to_pymatgen())):
            equal += are_near(fingerprint(crystal), fingerprint(other)[None]).tolist()
    assert len(equal) > 30
    assert all(equal)


def test_a_relaxed_crystal_stays_near():
    crystal = perovskite("Ca", "Ti", "O", 3.85)
    assert are_near(fingerprint(crystal), fingerprint(relaxed(crystal))[None]).all()


def _parsed(text: str) -> Crystal:
    content = json.loads(text)
    numbers = np.array([ATOMIC_NUMBERS[symbol] for symbol in content["species"]])
    return Crystal(np.array(content["lattice"]), numbers, np.array(content["frac_coords"]))


def _moved(crystal: Crystal, draw: np.random.Generator) -> Crystal:
    width = draw.uniform(0, 0.12) * np.cbrt(crystal.volume / len(crystal)) / np.sqrt(3)
    shifts = draw.normal(size=(len(crystal), 3)) * width @ np.linalg.inv(crystal.lattice)
    strained = crystal.lattice @ (np.eye(3) + draw.uniform(-0.06, 0.06, (3, 3)))
    return Crystal(strained, crystal.atomic_numbers, crystal.frac_coords + shifts)
