"""A crystal as JSON text: ``lattice`` (rows are vectors, Å), ``species`` (symbols) and ``frac_coords``."""

from __future__ import annotations

import json

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS


def from_json(text: str | None) -> Crystal:
    """Read a crystal.

    Raises:
        ValueError: Says what is wrong.
    """
    if text is None:
        raise ValueError("there is no structure")
    try:
        content = json.loads(text)
        numbers = [ATOMIC_NUMBERS[symbol] for symbol in content["species"]]
        crystal = Crystal(content["lattice"], np.array(numbers), content["frac_coords"])
    except KeyError as error:
        raise ValueError(f"{error.args[0]!r} is missing, or no known element") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"it does not parse: {str(error)[:80]}") from error
    if not len(crystal) or len(crystal.frac_coords) != len(crystal):
        raise ValueError(f"it has {len(crystal)} species and {len(crystal.frac_coords)} positions")
    if not (np.isfinite(crystal.lattice).all() and np.isfinite(crystal.frac_coords).all()):
        raise ValueError("its lattice or positions are not finite")
    return crystal


def to_json(crystal: Crystal, digits: int = 6) -> str:
    """Write a crystal, lengths and positions rounded to so many digits."""
    return json.dumps(
        {
            "lattice": np.round(crystal.lattice, digits).tolist(),
            "species": [SYMBOLS[z] for z in crystal.atomic_numbers],
            "frac_coords": np.round(crystal.frac_coords, digits).tolist(),
        }
    )
