"""Labels belong to the crystal, not to the cell it is written in."""

import re
from collections import Counter

import numpy as np
import pytest
from crystal_moves import MOVES, caesium_chloride, fluorite, hexagonal_metal, perovskite, rocksalt, zincblende

from lodestone.crystals import symmetry as module
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.symmetry import symmetries_of, symmetry_of
from lodestone.reference.prototypes import load_prototypes

CRYSTALS = {
    "rocksalt": (rocksalt(), 225),
    "zincblende": (zincblende(), 216),
    "CsCl": (caesium_chloride(), 221),
    "perovskite": (perovskite(), 221),
    "hcp": (hexagonal_metal(), 194),
    "fluorite": (fluorite(), 225),
}


@pytest.mark.parametrize("name", CRYSTALS)
def test_space_group(name):
    crystal, number = CRYSTALS[name]
    assert symmetry_of(crystal).spacegroup_number == number


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("name", CRYSTALS)
def test_label_is_the_same_in_any_cell(name, move):
    assert symmetry_of(move(CRYSTALS[name][0])) == symmetry_of(CRYSTALS[name][0])


def test_small_displacements_keep_the_label():
    plain = perovskite()
    shaken = plain.frac_coords + np.random.default_rng(0).normal(0, 0.002, plain.frac_coords.shape)
    assert symmetry_of(Crystal(plain.lattice, plain.atomic_numbers, shaken)) == symmetry_of(plain)


@pytest.mark.parametrize(
    "crystals",
    [
        (rocksalt(), rocksalt(19, 35)),
        (perovskite(), perovskite(38, 40)),
        (fluorite(20, 9), fluorite(9, 20)),
        pytest.param(
            (perovskite(38, 22), perovskite(22, 38)),
            marks=pytest.mark.xfail(reason="both sites of perovskite are 1:m-3m, so the label cannot tell them apart"),
        ),
    ],
)
def test_other_elements_change_the_decorated_label_only(crystals):
    first, second = map(symmetry_of, crystals)
    assert first.prototype == second.prototype
    assert first.decorated != second.decorated


def test_rocksalt_with_its_sites_exchanged_is_the_same_crystal():
    assert symmetry_of(rocksalt(11, 17)) == symmetry_of(rocksalt(17, 11))


def test_labels_tell_structure_types_of_one_stoichiometry_apart():
    assert len({symmetry_of(crystal).prototype for crystal in (rocksalt(), zincblende(), caesium_chloride())}) == 3


@pytest.mark.parametrize("workers", ["1", "2", "3"])
def test_all_cores_find_what_one_finds_in_the_same_order(workers, monkeypatch):
    monkeypatch.setenv("LODESTONE_WORKERS", workers)
    crystals = [crystal for crystal, _ in CRYSTALS.values()] * 2
    monkeypatch.setattr(module, "_FEW", len(crystals) - 1)
    assert symmetries_of(crystals) == [symmetry_of(crystal) for crystal in crystals]
    assert symmetries_of([]) == []


def test_no_symmetry_at_all():
    crystal = Crystal(np.diag([3.1, 4.3, 5.9]) + 0.4, [11, 17, 17], [[0, 0, 0], [0.21, 0.47, 0.33], [0.68, 0.19, 0.83]])
    assert symmetry_of(crystal).spacegroup_number == 1
    assert symmetry_of(crystal).prototype == "AB2_aP3_1_1:1_1:1+1:1"


@pytest.fixture(scope="module")
def aflow():
    """AFLOW's own label, split, beside ours."""
    return {label: (label.split("_"), symmetry_of(p.crystal)) for label, p in load_prototypes().items()}


def test_aflow_prototypes_have_the_stoichiometry_and_symmetry_of_their_labels(aflow):
    assert len(aflow) > 200
    as_labelled = 0
    for (stoichiometry, pearson, number, *_), symmetry in aflow.values():
        ours = symmetry.prototype.split("_")
        assert sorted(_amounts(ours[0])) == sorted(_amounts(stoichiometry))
        as_labelled += int(number) == symmetry.spacegroup_number and pearson[0] == ours[1][0]
    assert as_labelled >= 0.95 * len(aflow)  # our tolerance of 0.1 Å raises the symmetry of a few


def test_aflow_prototypes_are_told_apart(aflow):
    """Parameter sets of one type may share a label; different AFLOW types rarely do."""
    types = {(label.split("-")[0], symmetry.prototype) for label, (_, symmetry) in aflow.items()}
    shared = Counter(prototype for _, prototype in types)
    assert sum(shared.values()) - len(shared) <= 0.1 * len(types)


def _amounts(stoichiometry: str) -> list[int]:
    return [int(number or 1) for _, number in re.findall(r"([A-Z])(\d*)", stoichiometry)]
