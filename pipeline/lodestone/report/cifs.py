"""The CIF of a find in the space group that tables and pages state, or without symmetry."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.symmetry import SYMPREC, symmetry_of
from lodestone.report.structure_files import cif, parsed

# Tables have the space groups of moyopy, CIFs those of spglib. At the edge of a tolerance the two differ, which a
# slightly larger or smaller one mends for some.
TOLERANCES = (SYMPREC, 1.5 * SYMPREC, SYMPREC / 1.5, SYMPREC / 5, SYMPREC / 10, SYMPREC / 100)


def cif_in_group(
    crystal: Crystal,
    number: int,
    oracle: Mapping[str, Any],
    items: Mapping[str, Any],
    tolerances: Sequence[float] = TOLERANCES,
) -> str:
    """A crystal as CIF, symmetrized within the first tolerance that gives a space group; else in P1, as it is.

    Args:
        crystal: As the oracle relaxed it.
        number: Its space group.
        oracle: As :func:`lodestone.report.structure_files.cif` takes it.
        items: Likewise.
        tolerances: Tried in this order, Å.
    """
    tried = (cif(crystal, oracle, items, (tolerance,)) for tolerance in tolerances)
    text = next((text for text in tried if _is_in(text, number)), "") or cif(crystal, oracle, items, ())
    return re.sub(r"^(_symmetry_space_group_name_H-M +)(\S+)$", _without_underscores, text, flags=re.MULTILINE)


def _without_underscores(line: re.Match[str]) -> str:
    """``P21/m``, as others read it, where pymatgen writes ``P2_1/m``."""
    return line[1] + line[2].replace("_", "")


def _is_in(text: str, number: int) -> bool:
    """Whether a CIF states a space group and, read back, has it."""
    stated = re.search(r"^_symmetry_Int_Tables_number\s+(\d+)", text, re.MULTILINE)
    if stated is None or int(stated[1]) != number:
        return False
    return symmetry_of(Crystal.from_pymatgen(parsed(text))).spacegroup_number == number
