"""Raw structures of any known shape as crystals, with a reason where that is impossible."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.crystals.crystal import Crystal
from pipeline.crystals.elements import ATOMIC_NUMBERS, SYMBOLS

_SMALLEST_VOLUME = 1e-3  # Å3: below this the lattice vectors lie in a plane


class UnreadableStructureError(ValueError):
    """A structure that is no ordered periodic crystal; says why."""


def parse_structure(raw: Any) -> Crystal:
    """Read one structure.

    Args:
        raw: JSON text or a mapping, either with ``lattice`` (rows are vectors, Å), ``frac_coords`` and ``species``
            (symbols) or ``atomic_numbers``, or as written by ``Structure.as_dict`` of pymatgen.

    Raises:
        UnreadableStructureError: Says what is wrong.
    """
    if raw is None:
        raise UnreadableStructureError("no structure")
    try:
        content = json.loads(raw) if isinstance(raw, str) else raw
        crystal = _crystal(content)
    except UnreadableStructureError:
        raise
    except json.JSONDecodeError as error:
        raise UnreadableStructureError(f"structure is no JSON: {error}") from error
    except KeyError as error:
        raise UnreadableStructureError(f"structure has no {error.args[0]!r}") from error
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise UnreadableStructureError(f"structure does not parse: {str(error)[:120]}") from error
    return _checked(crystal)


def _crystal(content: Mapping[str, Any]) -> Crystal:
    if not isinstance(content, Mapping):
        raise UnreadableStructureError(f"structure is a {type(content).__name__}, not a mapping")
    lattice = content["lattice"]
    matrix = _numbers(lattice["matrix"] if isinstance(lattice, Mapping) else lattice, "lattice")
    if content.get("sites") is not None:
        sites = content["sites"]
        symbols, coords = [_element(site) for site in sites], [site["abc"] for site in sites]
    else:
        coords, known = content["frac_coords"], content.get("atomic_numbers")
        symbols = content["species"] if known is None else [_symbol(z) for z in known]
    points = _numbers(coords, "frac_coords").reshape(-1, 3)
    if matrix.size != 9 or len(points) != len(symbols) or not len(symbols):
        sizes = f"{matrix.size} lattice numbers, {len(symbols)} species, {len(points)} positions"
        raise UnreadableStructureError(f"structure has {sizes}")
    return Crystal(matrix, np.array([_atomic_number(symbol) for symbol in symbols]), points)


def _checked(crystal: Crystal) -> Crystal:
    if not (np.isfinite(crystal.lattice).all() and np.isfinite(crystal.frac_coords).all()):
        raise UnreadableStructureError("lattice or positions are not finite")
    if crystal.volume < _SMALLEST_VOLUME:
        raise UnreadableStructureError("lattice vectors span no volume")
    return crystal


def _numbers(values: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise UnreadableStructureError(f"{name} is no regular table of numbers") from error


def _element(site: Mapping[str, Any]) -> str:
    species: Sequence[Mapping[str, Any]] = site["species"]
    if len(species) != 1 or species[0].get("occu", 1) != 1:
        raise UnreadableStructureError("a site is partially occupied")
    return str(species[0]["element"])


def _symbol(number: int) -> str:
    return SYMBOLS[number] if 0 < number < len(SYMBOLS) else str(number)


def _atomic_number(symbol: str) -> int:
    if symbol not in ATOMIC_NUMBERS:
        raise UnreadableStructureError(f"{str(symbol)!r} is no known element")
    return ATOMIC_NUMBERS[symbol]
