"""CIF files as crystals: read by pymatgen, after checks that rule out guesses."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.crystals.encoding import reduced_formula
from lodestone.snapshot.structures import UnreadableStructureError

_OPERATIONS = ("_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz")
_NAMES = ("_symmetry_space_group_name_H-M", "_space_group_name_H-M_alt", "_space_group_name_Hall")
_INTEGERS = ("_symmetry_Int_Tables_number", "_space_group_IT_number")
_CELL = tuple(
    f"_cell_{name}" for name in ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
)
_POSITION = tuple(f"_atom_site_fract_{axis}" for axis in "xyz")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?(\(\d+\))?", re.ASCII)
_TYPE = re.compile(r"([A-Z][a-z]?)(\d*\.?\d*[+-]|[+-]\d+)?", re.ASCII)
_LABEL = re.compile(r"([A-Z][a-z]?)(\d\w*|[^A-Za-z].*)?", re.ASCII)
_FULL = 1e-8
_MOST_OPERATIONS = 1000  # a space group has 192 in its conventional cell
_NEAR = 0.1  # of 1/24; thirds and sixths are written with at least four digits


def parse_cif(text: str) -> Crystal:
    """Read a CIF with one crystal.

    Refused are partial occupancies, several crystals, symmetry that is missing or not a group, atoms not named after an
    element, and a formula that does not match the atoms (as in a file that is cut off).

    Raises:
        UnreadableStructureError: Says what is wrong.
    """
    from pymatgen.io.cif import CifFile, CifParser

    block = _block(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            data = next(iter(CifFile.from_str(block).data.values())).data
            _check(data)
            (structure,) = CifParser.from_str(block).parse_structures(primitive=False, on_error="raise")
        except UnreadableStructureError:
            raise
        except Exception as error:  # the parser lets many types of errors through
            reason = " ".join(str(error).split())[:120]
            raise UnreadableStructureError(f"CIF does not parse ({type(error).__name__}): {reason}") from error
    if not structure.is_ordered:
        raise UnreadableStructureError("a site is partially occupied")
    crystal = _rounded(Crystal.from_pymatgen(structure))
    _check_formula(data, crystal)
    return crystal


def _rounded(crystal: Crystal) -> Crystal:
    """The crystal with lattice vectors rounded to 1e-9 Å, far below the precision of a CIF.

    They follow from cosines of the angles, whose last bit depends on the processor. Two processors round a vector
    differently only if it lies that close to the midpoint between two multiples: one CIF in a million.
    """
    return replace(crystal, lattice=np.round(crystal.lattice, 9) + 0.0)


def _block(text: str) -> str:
    """The only data block with atoms; journals put blocks of their own before it."""
    blocks = [f"data_{block}" for block in re.split(r"^\s*data_", f"x\n{text}", flags=re.MULTILINE)[1:]]
    crystals = [block for block in blocks if "_atom_site_" in block]
    if len(crystals) != 1:
        problem = f"{len(crystals)} data blocks with atoms; one crystal per file" if crystals else "CIF has no atoms"
        raise UnreadableStructureError(problem)
    return crystals[0]


def _check(data: Mapping[str, Any]) -> None:
    for name in _CELL:
        if name not in data or not _NUMBER.fullmatch(str(data[name])):
            raise UnreadableStructureError(f"CIF has no number {name}")
    columns = {name: _column(data, name) for name in _POSITION}
    for name, values in columns.items():
        if not values or not all(_NUMBER.fullmatch(value) for value in values):
            raise UnreadableStructureError(f"CIF has no numbers {name}")
    for occupancy in _column(data, "_atom_site_occupancy"):
        if occupancy != "." and not (_NUMBER.fullmatch(occupancy) and abs(_float(occupancy) - 1) < _FULL):
            raise UnreadableStructureError(f"a site is partially occupied ({occupancy[:20]})")
    _check_elements(data)
    _check_symmetry(data)


def _check_elements(data: Mapping[str, Any]) -> None:
    types = _column(data, "_atom_site_type_symbol")
    names, pattern = (types, _TYPE) if types else (_column(data, "_atom_site_label"), _LABEL)
    for name in names:
        match = pattern.fullmatch(name)
        if not match or match[1] not in ATOMIC_NUMBERS:
            raise UnreadableStructureError(f"atom {name[:20]!r} is no known element")


def _check_symmetry(data: Mapping[str, Any]) -> None:
    """Operations must be present and form a group; only P 1 may be given by its name alone."""
    from pymatgen.core.operations import SymmOp

    listed = [_column(data, name) for name in _OPERATIONS if name in data]
    for operations in listed:
        if len(operations) > _MOST_OPERATIONS:
            raise UnreadableStructureError(f"CIF has {len(operations):,} symmetry operations")
        matrices = np.array([SymmOp.from_xyz_str(operation).affine_matrix for operation in operations])
        if not _is_group(matrices):
            raise UnreadableStructureError("the symmetry operations of the CIF do not form a group: is one missing?")
    named = {re.sub(r"[\s_]", "", str(data[name])).upper() for name in _NAMES if name in data}
    is_p1 = "P1" in named or "1" in {str(data.get(name)) for name in _INTEGERS}
    if not listed and not is_p1:
        raise UnreadableStructureError(f"CIF has no symmetry operations ({' or '.join(_OPERATIONS)})")


def _is_group(operations: np.ndarray) -> bool:
    """Whether products of operations, shape ``(n, 4, 4)``, are operations again, up to lattice translations."""
    products = np.einsum("iab,jbc->ijac", operations, operations).reshape(-1, 4, 4)
    keys = _keys(np.concatenate([operations, products]))  # together, so that both include translations or neither does
    return set(keys[len(operations) :]) == set(keys[: len(operations)])


def _keys(operations: np.ndarray) -> list[bytes]:
    """Rotations, with translations where these are multiples of 1/24, as in every tabulated setting."""
    turns = np.rint(operations[:, :3, :3]).astype(np.int8).reshape(-1, 9)
    shifts = operations[:, :3, 3] * 24
    if np.abs(shifts - np.rint(shifts)).max() > _NEAR:
        return [key.tobytes() for key in turns]
    return [
        key.tobytes() for key in np.concatenate([turns, (np.rint(shifts).astype(int) % 24).astype(np.int8)], axis=1)
    ]


def _check_formula(data: Mapping[str, Any], crystal: Crystal) -> None:
    from pymatgen.core import Composition

    stated = str(data.get("_chemical_formula_sum", "?")).strip()
    if stated in ("?", ".", ""):
        return
    try:
        composition = Composition(stated)
        formula = str(composition.reduced_formula)
    except Exception as error:  # pymatgen raises many types for an invalid formula
        raise UnreadableStructureError(f"CIF: _chemical_formula_sum is {stated[:40]!r}, which is no formula") from error
    actual = reduced_formula(crystal.atomic_numbers)
    if formula != actual:
        raise UnreadableStructureError(f"CIF: _chemical_formula_sum is {formula}, but its atoms make {actual}")
    units = str(data.get("_cell_formula_units_Z", "?"))
    sizes = [composition.num_atoms * int(units), composition.num_atoms] if units.isdigit() else [len(crystal)]
    if not np.isclose(
        sizes, len(crystal)
    ).any():  # the sum is for one formula unit, but pymatgen writes it for the whole cell
        raise UnreadableStructureError(
            f"CIF: {units} units of {stated[:40]} are not the {len(crystal)} atoms of its cell"
        )


def _column(data: Mapping[str, Any], name: str) -> Sequence[str]:
    values = data.get(name, ())
    return [values] if isinstance(values, str) else list(values)


def _float(text: str) -> float:
    return float(text.split("(", 1)[0])
