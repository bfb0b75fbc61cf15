"""One crystal in any usual form: text of a file, JSON, an object of pymatgen or ASE.

Everybody who asks about crystals goes through here: `lodestone predict`, the server, and registered models, which carry
this module with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lodestone.crystals.crystal import Crystal
from lodestone.snapshot.files.structure_files import parse_structure_file
from lodestone.snapshot.structures import UnreadableStructureError, parse_structure


def crystal_of(content: Any) -> Crystal:
    """Read a crystal.

    Args:
        content: CIF, POSCAR or JSON as text; a mapping, see :func:`lodestone.snapshot.structures.parse_structure`; a
            ``Structure`` of pymatgen; ``Atoms`` of ASE; or a crystal.

    Raises:
        UnreadableStructureError: If it is none; says why.
        LodestoneError: If sites of a structure of pymatgen are partially occupied.
    """
    if isinstance(content, str):
        return _of_text(content)
    if isinstance(content, Crystal | Mapping):
        return parse_structure(content)
    if hasattr(content, "get_atomic_numbers"):
        if not all(content.pbc):
            raise UnreadableStructureError("the atoms are not periodic in all three directions")
        return parse_structure(Crystal.from_ase(content))
    if hasattr(content, "lattice") and hasattr(content, "frac_coords"):
        return parse_structure(Crystal.from_pymatgen(content))
    raise UnreadableStructureError(f"a {type(content).__name__} is neither text nor a structure")


def is_cif(text: str) -> bool:
    """Whether text is meant as a CIF: some line begins a data block."""
    return any(line.startswith("data_") for line in text.splitlines())


def _of_text(text: str) -> Crystal:
    if text.lstrip().startswith("{"):
        return parse_structure(text)
    if is_cif(text):
        return parse_structure_file("text.cif", text.encode())
    try:
        return parse_structure_file("POSCAR", text.encode())
    except UnreadableStructureError as error:
        raise UnreadableStructureError(f"the text is no CIF, and cannot be read as a POSCAR ({error})") from error
