"""Crystals as JSON text."""

import json

import numpy as np
import pytest

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.json_text import from_json, to_json

SALT = Crystal([[0, 2.85, 2.85], [2.85, 0, 2.85], [2.85, 2.85, 0]], [11, 17], [[0, 0, 0], [0.5, 0.5, 0.5]])
GOOD = json.loads(to_json(SALT))


def test_round_trip():
    again = from_json(to_json(SALT))
    assert again.digest() == SALT.digest()
    assert np.allclose(again.lattice, SALT.lattice)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "there is no structure"),
        ("{", "it does not parse"),
        ("3", "it does not parse"),
        (json.dumps({**GOOD, "species": ["Na", "Xx"]}), "'Xx' is missing, or no known element"),
        (json.dumps({key: value for key, value in GOOD.items() if key != "lattice"}), "'lattice' is missing"),
        (json.dumps({**GOOD, "lattice": [[1, 0], [0, 1]]}), "it does not parse"),
        (json.dumps({**GOOD, "species": ["Na"]}), "it has 1 species and 2 positions"),
        (json.dumps({**GOOD, "species": [], "frac_coords": []}), "it has 0 species"),
        (json.dumps({**GOOD, "frac_coords": [[0, 0, 0], [0, 0, float("inf")]]}), "not finite"),
    ],
)
def test_what_is_wrong_is_said(text, told):
    with pytest.raises(ValueError, match=told):
        from_json(text)
