"""Structures in every usual form reach a registered model alike; what is none is refused in one sentence."""

import json

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure
from test_tracking import ROCK_SALT

from lodestone.crystals.crystal import Crystal
from lodestone.tracking.model_input import RequestError, crystals_of, input_structure_of


@pytest.fixture(scope="module")
def structure() -> Structure:
    return Structure(Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


FORMS = {
    "pymatgen": lambda structure: structure,
    "dictionary": lambda structure: structure.as_dict(),
    "json": lambda structure: json.dumps(structure.as_dict()),
    "cif": lambda structure: structure.to(fmt="cif"),
    "poscar": lambda structure: structure.to(fmt="poscar"),
    "ase": lambda structure: Crystal.from_pymatgen(structure).to_ase(),
    "crystal": Crystal.from_pymatgen,
    "arrays as a dictionary": lambda _: ROCK_SALT,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_crystal(form, structure):
    (crystal,) = crystals_of(pd.DataFrame({"structure": [FORMS[form](structure)]}))
    np.testing.assert_allclose(crystal.lattice, np.eye(3) * 5.6, atol=1e-6)
    assert sorted(crystal.atomic_numbers) == [11, 17]
    np.testing.assert_allclose(np.ptp(crystal.frac_coords, axis=0), 0.5, atol=1e-6)


def test_arrays_may_be_nested_and_whole_numbers():
    row = {
        "lattice": [[6, 0, 0], [0, 6, 0], [0, 0, 6]],
        "atomic_numbers": [11, 17],
        "frac_coords": ROCK_SALT["frac_coords"],
    }
    (crystal,) = crystals_of(pd.DataFrame([row]))
    assert crystal.volume == pytest.approx(216)


DISORDERED = Structure(Lattice.cubic(3.0), [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]])
WRONG = {
    "no column": ({"cell": [1]}, "needs a column structure, or lattice, atomic_numbers, frac_coords; it has cell"),
    "one array lacks": ({"lattice": [1], "atomic_numbers": [1]}, "it has lattice, atomic_numbers"),
    "no structure": (
        {"structure": ["not a structure"]},
        "row 0 is no crystal: the text is no CIF, and cannot be read as a POSCAR",
    ),
    "a broken CIF": (
        {"structure": ["data_x\n_cell_length_a 3"]},
        "row 0 is no crystal: CIF has no atoms",
    ),
    "an empty text": ({"structure": [""]}, "row 0 is no crystal"),
    "broken JSON": ({"structure": ["{"]}, "row 0 is no crystal"),
    "a number": ({"structure": [3.0]}, "float is neither text nor a structure"),
    "disorder": ({"structure": [DISORDERED]}, "row 0: structure 'Cu0.5 Au0.5' has partially occupied sites"),
    "atoms at one place": (
        {"structure": [ROCK_SALT, ROCK_SALT | {"frac_coords": [0.0] * 6}]},
        "row 1 cannot be predicted: atoms are 0.000",
    ),
    "NaN": (
        {"structure": [ROCK_SALT | {"lattice": [float("nan")] * 9}]},
        "row 0 is no crystal: lattice or positions are not finite",
    ),
    "an unknown element": (
        {"structure": [ROCK_SALT | {"atomic_numbers": [11, 300]}]},
        "row 0 is no crystal: '300' is no known element",
    ),
    "positions of other length": ({"structure": [ROCK_SALT | {"frac_coords": [0.0] * 3}]}, "2 species, 1 positions"),
    "half a position": ({"structure": [ROCK_SALT | {"frac_coords": [0.0] * 4}]}, "2 species, 1.33333 positions"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_crystal_is_refused_in_one_sentence(case):
    columns, sentence = WRONG[case]
    with pytest.raises(RequestError) as fault:
        crystals_of(pd.DataFrame(columns))
    assert sentence in str(fault.value)
    assert "\n" not in str(fault.value)


def test_the_input_structure_is_one_of_two():
    assert input_structure_of(None) == "relaxed"
    assert input_structure_of({"input_structure": "unrelaxed"}) == "unrelaxed"
    with pytest.raises(RequestError, match="input_structure is 'relxed', and must be relaxed or unrelaxed"):
        input_structure_of({"input_structure": "relxed"})
