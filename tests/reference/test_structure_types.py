"""Structure types that the AFLOW library of pymatgen lacks: each is what its label says."""

import re
from importlib.resources import files

import pytest
import yaml

from lodestone.crystals.symmetry import symmetry_of
from lodestone.oracles.sanity import distance_ratio
from lodestone.reference.prototypes import all_prototypes, load_prototypes

LABELS = tuple(yaml.safe_load(files("lodestone.reference").joinpath("structures.yaml").read_text(encoding="utf-8")))
LATTICE_POINTS = {"P": 1, "I": 2, "F": 4, "C": 2, "R": 1}  # AFLOW counts the atoms of the primitive cell for R


@pytest.mark.parametrize("label", LABELS)
def test_space_group_sites_and_amounts_are_those_of_the_label(label):
    prototype = all_prototypes()[label]
    amounts, pearson, number = label.split("_")[:3]
    assert symmetry_of(prototype.crystal).spacegroup_number == int(number)
    assert len(prototype.crystal) == int(pearson[2:]) // LATTICE_POINTS[pearson[1]]
    named = sorted(int(n or 1) for _, n in re.findall(r"([A-Z])(\d*)", amounts))
    unit = len(prototype.crystal) // sum(named)
    assert sorted(prototype.counts) == [unit * n for n in named]
    assert 0.7 < distance_ratio(prototype.crystal) < 1.2


def test_the_prototypes_of_make_reference_stay_what_they_were():
    """Their labels and crystals are what the rows of the reference set are made from."""
    everything, small = all_prototypes(), load_prototypes()
    assert len(small) == 221
    assert all(len(p.crystal) <= 14 and everything[label] is p for label, p in small.items())
    assert not set(small) & set(LABELS)
