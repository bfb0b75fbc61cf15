"""What a registered model is asked about: a table of structures in any usual form, or one sentence of fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.soundness import why_unsound
from lodestone.errors import LodestoneError
from lodestone.schemas import INPUT_STRUCTURES
from lodestone.snapshot.files.objects import crystal_of

if TYPE_CHECKING:
    import pandas as pd

HULL = "hull.parquet"  # of the phases of its hull, in a registered model
STRUCTURE = "structure"
ARRAYS = ("lattice", "atomic_numbers", "frac_coords")


class RequestError(ValueError):
    """A request that cannot be answered, in one sentence."""


def crystals_of(rows: pd.DataFrame) -> list[Crystal]:
    """The crystals of a table.

    Args:
        rows: A column ``structure`` (CIF or POSCAR as text, a pymatgen ``Structure`` or its dictionary or JSON, or ASE
            ``Atoms``), or the columns ``lattice`` (9 numbers, Å), ``atomic_numbers`` (n) and ``frac_coords`` (3 n).

    Raises:
        RequestError: If a column is missing or a row is no valid crystal; names the row, counted from 0.
    """
    read: Callable[..., Crystal]
    if STRUCTURE in rows:
        read, columns = crystal_of, [rows[STRUCTURE]]
    elif all(name in rows for name in ARRAYS):
        read, columns = _from_arrays, [rows[name] for name in ARRAYS]
    else:
        got = ", ".join(map(str, rows.columns)) or "no column"
        raise RequestError(f"the request needs a column {STRUCTURE}, or {', '.join(ARRAYS)}; it has {got}")
    return [_checked(number, read, cells) for number, cells in enumerate(zip(*columns, strict=True))]


def input_structure_of(params: Mapping[str, Any] | None) -> str:
    """The parameter ``input_structure``, by default ``relaxed``.

    Raises:
        RequestError: If it is no input structure.
    """
    value = str((params or {}).get("input_structure", "relaxed"))
    if value not in INPUT_STRUCTURES:
        raise RequestError(f"input_structure is {value!r}, and must be {' or '.join(INPUT_STRUCTURES)}")
    return value


def _checked(number: int, read: Callable[..., Crystal], cells: tuple[Any, ...]) -> Crystal:
    try:
        crystal = read(*cells)
        reason = why_unsound(crystal)
    except LodestoneError as error:
        raise RequestError(f"row {number}: {error.problem}") from None
    except Exception as error:  # of whatever parser; its message is all that is known
        raise RequestError(f"row {number} is no crystal: {_one_line(error)}") from None
    if reason is not None:
        raise RequestError(f"row {number} cannot be predicted: {reason}")
    return crystal


def _from_arrays(lattice: Any, atomic_numbers: Any, frac_coords: Any) -> Crystal:
    numbers = np.asarray(atomic_numbers, dtype=np.int64)
    if numbers.size and not 0 < numbers.min() <= numbers.max() < 255:
        raise RequestError("an atomic number is no known element")
    return Crystal(np.asarray(lattice, dtype=float), numbers, np.asarray(frac_coords, dtype=float))


def _one_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200] or type(error).__name__
