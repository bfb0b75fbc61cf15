"""Raw structures of any known form as crystals, with a reason where that is impossible."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS

_SMALLEST_VOLUME = 1e-3  # Å3: below this the lattice vectors lie in a plane
# A cell outside these bounds is not a crystal, and a search for neighbors or symmetry would never end.
_SMALLEST_HEIGHT = 0.01  # Å
_LONGEST_VECTOR = 1e4  # Å
_FURTHEST_CELL = 1e4  # distance of an atom from the cell, in lattice vectors


class UnreadableStructureError(ValueError):
    """A structure that is not an ordered periodic crystal; says why."""


def parse_structure(raw: Any) -> Crystal:
    """Read one structure.

    Args:
        raw: JSON text or a mapping, either with ``lattice`` (rows are vectors, Å), ``frac_coords`` and ``species``
            (symbols) or ``atomic_numbers``, or as written by ``Structure.as_dict`` of pymatgen. A crystal is checked
            and returned; an :class:`UnreadableStructureError`, with which a source reports a problem, is raised.

    Raises:
        UnreadableStructureError: Says what is wrong.
    """
    if raw is None:
        raise UnreadableStructureError("no structure")
    if isinstance(raw, UnreadableStructureError):
        raise UnreadableStructureError(*raw.args)
    try:
        content = json.loads(raw) if isinstance(raw, str) else raw
        crystal = content if isinstance(content, Crystal) else _crystal(content)
    except UnreadableStructureError:
        raise
    except json.JSONDecodeError as error:
        raise UnreadableStructureError(f"structure is no JSON: {error}") from error
    except KeyError as error:
        raise UnreadableStructureError(f"structure has no {error.args[0]!r}") from error
    except (TypeError, ValueError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise UnreadableStructureError(f"structure does not parse: {str(error)[:120]}") from error
    return _checked(crystal)


def _crystal(content: Mapping[str, Any]) -> Crystal:
    if not isinstance(content, Mapping):
        raise UnreadableStructureError(f"structure is a {type(content).__name__}, not a mapping")
    matrix = _matrix(content["lattice"])
    if content.get("sites") is not None:
        sites = content["sites"]
        symbols, coords = [_element(site) for site in sites], [site["abc"] for site in sites]
    else:
        coords, known = content["frac_coords"], content.get("atomic_numbers")
        symbols = content["species"] if known is None else [_symbol(z) for z in known]
    if not isinstance(symbols, list | tuple):
        raise UnreadableStructureError("species is no list of symbols")
    points = _numbers(coords, "frac_coords")
    if matrix.size != 9 or points.size != 3 * len(symbols) or not len(symbols):
        sizes = f"{matrix.size} lattice numbers, {len(symbols)} species, {points.size / 3:g} positions"
        raise UnreadableStructureError(f"structure has {sizes}")
    return Crystal(matrix, np.array([_atomic_number(symbol) for symbol in symbols]), points)


def _matrix(lattice: Any) -> np.ndarray:
    if not isinstance(lattice, Mapping):
        return _numbers(lattice, "lattice")
    if not all(lattice.get("pbc") or (True,)):
        raise UnreadableStructureError("structure is not periodic in all three directions")
    return _numbers(lattice["matrix"], "lattice")


def _checked(crystal: Crystal) -> Crystal:
    lattice, points, numbers = crystal.lattice, crystal.frac_coords, crystal.atomic_numbers
    if not len(numbers) or numbers.min() < 1 or numbers.max() >= len(SYMBOLS):
        raise UnreadableStructureError("there are no atoms, or one of them is of no known element")
    if not (np.isfinite(lattice).all() and np.isfinite(points).all()):
        raise UnreadableStructureError("lattice or positions are not finite")
    if np.abs(lattice).max() > _LONGEST_VECTOR:
        raise UnreadableStructureError(f"lattice vectors are longer than {_LONGEST_VECTOR:g} Å")
    if np.abs(points).max() > _FURTHEST_CELL:
        raise UnreadableStructureError(f"positions lie more than {_FURTHEST_CELL:g} cells away")
    faces = np.linalg.norm(np.cross(lattice[[1, 2, 0]], lattice[[2, 0, 1]]), axis=1)
    if crystal.volume < _SMALLEST_VOLUME or crystal.volume < _SMALLEST_HEIGHT * faces.max():
        raise UnreadableStructureError("lattice vectors span no volume")
    return crystal


def _numbers(values: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError, OverflowError) as error:
        raise UnreadableStructureError(f"{name} is no regular table of numbers") from error


def _element(site: Mapping[str, Any]) -> str:
    species: Sequence[Mapping[str, Any]] = site["species"]
    if len(species) != 1 or species[0].get("occu", 1) != 1:
        raise UnreadableStructureError("a site is partially occupied")
    return str(species[0]["element"])


def _symbol(number: Any) -> str:
    whole = isinstance(number, int | np.integer) and not isinstance(number, bool)
    return SYMBOLS[number] if whole and 0 < number < len(SYMBOLS) else str(number)


def _atomic_number(symbol: Any) -> int:
    if not isinstance(symbol, str) or symbol not in ATOMIC_NUMBERS:
        raise UnreadableStructureError(f"{str(symbol)[:40]!r} is no known element")
    return ATOMIC_NUMBERS[symbol]
