"""A find as CIF and POSCAR."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.symmetry import SYMPREC

if TYPE_CHECKING:
    from pymatgen.core import Structure

PREFIX = "_lodestone_"  # of data items that are in no dictionary of the IUCr
_DIGITS = 12  # of a coordinate in a POSCAR
_CIF_DIGITS = 8
_WIDTH = 72


def cif(
    crystal: Crystal,
    oracle: Mapping[str, Any],
    items: Mapping[str, Any],
    tolerances: Sequence[float] = (SYMPREC, SYMPREC / 10, SYMPREC / 100),
) -> str:
    """A crystal as CIF that says what its energies are.

    Its cell is symmetrized. It is read back before it is given out: where symmetrizing has changed the crystal, as
    happens when space group and operations come out different at the edge of a tolerance, the next one is tried, and in
    the end P1.

    Args:
        crystal: As the oracle relaxed it.
        oracle: ``name`` and ``caveat``.
        items: Data items without their prefix; those that are ``None`` are unknown.
        tolerances: Within which it is symmetrized, Å, the first that gives the same crystal.
    """
    tried = ((tolerance, _written(crystal, tolerance)) for tolerance in (*tolerances, None))
    tolerance, text = next(
        (tolerance, text) for tolerance, text in tried if tolerance is None or _is_same(crystal, text)
    )
    how = f"symmetrized within {tolerance:g} angstrom" if tolerance else "not symmetrized"
    method = f"Predicted, not measured: relaxed by {oracle['name']}, {how}"
    own = {"_audit_creation_method": method} | {PREFIX + name: value for name, value in items.items()}
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    caveat = "# " + " ".join(str(oracle["caveat"]).split())  # a comment ends with its line
    return "\n".join([caveat, lines[0], *(_item(*pair) for pair in own.items()), *lines[1:]]) + "\n"


def poscar(crystal: Crystal, comment: str) -> str:
    """A crystal as POSCAR with the oracle's own coordinates; atoms of one element follow each other."""
    from pymatgen.io.vasp import Poscar

    wrapped = replace(crystal, frac_coords=crystal.frac_coords % 1.0)
    structure = wrapped.to_pymatgen().get_sorted_structure()
    return str(Poscar(structure, comment=comment).get_str(significant_figures=_DIGITS))


def parsed(text: str) -> Structure:
    """The conventional cell of a CIF."""
    from pymatgen.io.cif import CifParser

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # coordinates such as 0.333333 are rounded to the ideal ones, as is meant
        return CifParser.from_str(text).parse_structures(primitive=False)[0]


def same_crystal(one: Structure, other: Structure) -> bool:
    """Whether two structures are one crystal of one size, within what symmetrizing may move."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return bool(StructureMatcher(ltol=0.05, stol=0.1, angle_tol=3, scale=False).fit(one, other))


def _written(crystal: Crystal, tolerance: float | None) -> str:
    """By pymatgen; nothing where a cell has no clear symmetry, for which it raises many types."""
    from pymatgen.io.cif import CifWriter

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return str(CifWriter(crystal.to_pymatgen(), symprec=tolerance, significant_figures=_CIF_DIGITS))
    except Exception:
        if tolerance is None:
            raise
        return ""


def _is_same(crystal: Crystal, text: str) -> bool:
    try:
        return same_crystal(crystal.to_pymatgen(), parsed(text))
    except (ValueError, AssertionError):  # pymatgen reads no structure from it
        return False


def _item(name: str, value: Any) -> str:
    """A data item; long text stands between lines that begin with a semicolon."""
    if value is None:
        return f"{name}   ?"
    if isinstance(value, bool):
        return f"{name}   {'yes' if value else 'no'}"
    if isinstance(value, int | float):
        return f"{name}   {value!r}"
    text = str(value).encode("ascii", "replace").decode()  # the only characters that CIF 1.1 has
    if len(text) > _WIDTH or "'" in text:
        return f"{name}\n;{text}\n;"
    return f"{name}   '{text}'"
