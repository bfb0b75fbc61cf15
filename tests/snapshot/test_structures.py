"""Every shape in which structures come, and why some are refused."""

import json
import math

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from snapshot_rows import structure

from lodestone.crystals.crystal import Crystal
from lodestone.snapshot.structures import UnreadableStructureError, parse_structure

SALT = structure(["Na", "Cl"])
PYMATGEN = Structure(Lattice.cubic(4), ["Na+", "Cl-"], SALT["frac_coords"]).as_dict()
OWN = {"lattice": np.eye(3).ravel() * 4, "atomic_numbers": [11, 17], "frac_coords": np.ravel(SALT["frac_coords"])}


@pytest.mark.parametrize("raw", [SALT, json.dumps(SALT), PYMATGEN, json.dumps(PYMATGEN), OWN, parse_structure(SALT)])
def test_known_shapes_give_the_same_crystal(raw):
    crystal = parse_structure(raw)
    assert crystal.species == ["Na", "Cl"]
    np.testing.assert_array_equal(crystal.lattice, np.eye(3) * 4)
    np.testing.assert_array_equal(crystal.frac_coords, [[0, 0, 0], [0.5, 0.5, 0.5]])


def _partial() -> dict:
    return Structure(Lattice.cubic(4), [{"Na": 0.5, "K": 0.5}, "Cl"], SALT["frac_coords"]).as_dict()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, "no structure"),
        ("{'lattice'", "no JSON"),
        ("[1, 2]", "a list, not a mapping"),
        ({"lattice": SALT["lattice"]}, "no 'frac_coords'"),
        (SALT | {"species": ["Na", "Qq"]}, "'Qq' is no known element"),
        (OWN | {"atomic_numbers": [11, 300]}, "'300' is no known element"),
        (SALT | {"species": ["Na"]}, "1 species, 2 positions"),
        (SALT | {"species": [], "frac_coords": []}, "0 species"),
        (SALT | {"lattice": [[4, 0, 0], [0, 4, 0]]}, "6 lattice numbers"),
        (SALT | {"lattice": [[4, 0, 0], [0, 4, 0], [4, 4, 0]]}, "span no volume"),
        (SALT | {"lattice": [[math.nan, 0, 0], [0, 4, 0], [0, 0, 4]]}, "not finite"),
        (SALT | {"frac_coords": [[0, 0, 0], [0.5, "x", 0.5]]}, "frac_coords is no regular table"),
        (SALT | {"frac_coords": [[0, 0, 0], [0.5, 0.5]]}, "frac_coords is no regular table"),
        (_partial(), "partially occupied"),
        (SALT | {"species": "NaCl"}, "species is no list"),
        (SALT | {"species": ["Na", None]}, "'None' is no known element"),
        (OWN | {"atomic_numbers": [11, True]}, "'True' is no known element"),
        (OWN | {"atomic_numbers": [11, 17.0]}, "'17.0' is no known element"),
        (SALT | {"lattice": [[4, 0, 0], [0, 4, 0], [0, 0, 10**400]]}, "lattice is no regular table"),
        (SALT | {"lattice": [[4, 0, 0], [0, 4, 0], [0, 0, 1e300]]}, "longer than 10000 Å"),
        (SALT | {"lattice": [[4000, 0, 0], [0, 4000, 0], [0, 0, 1e-3]]}, "span no volume"),
        (SALT | {"frac_coords": [[0, 0, 0], [0.5, 0.5, 1e9]]}, "more than 10000 cells away"),
        (PYMATGEN | {"lattice": {"matrix": SALT["lattice"], "pbc": [True, True, False]}}, "not periodic in all three"),
        ("[" * 100_000, "does not parse"),
        (UnreadableStructureError("of the source"), "of the source"),
        (Crystal(np.eye(3), np.array([0]), np.zeros((1, 3))), "of no known element"),
        (Crystal(np.zeros((3, 3)), np.array([1]), np.zeros((1, 3))), "span no volume"),
    ],
)
def test_what_is_no_crystal_is_refused_with_its_reason(raw, reason):
    with pytest.raises(UnreadableStructureError, match=reason):
        parse_structure(raw)
