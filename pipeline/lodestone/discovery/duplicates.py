"""Which verified crystals are new, and which are duplicates.

Prototype labels tell crystals apart quickly, but a label changes when atoms move by a few hundredths of an Å. So
crystals with the same formula are also compared atom by atom, with tolerances well below the distortions that separate
polymorphs from their parents.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import polars as pl

from lodestone.crystals.encoding import decode

if TYPE_CHECKING:
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.core import Structure

Forms = tuple["Structure", "Structure"]

LENGTH_TOLERANCE = 0.1  # of the lattice, as a share
SITE_TOLERANCE = 0.1  # root mean square over (volume per atom)^(1/3)
ANGLE_TOLERANCE = 5.0  # degrees


@dataclass(frozen=True)
class _One:
    material_id: str
    label: str
    structure: Structure

    @cached_property
    def forms(self) -> Forms:
        return reduced(self.structure)


def same_as(verified: pl.DataFrame, known: pl.DataFrame) -> dict[str, str]:
    """Verified crystals that are not new, and the crystals they are identical to.

    Args:
        verified: Columns ``material_id``, ``formula_pretty``, ``decorated_prototype``, ``energy_per_atom`` and those of
            a crystal, in any order.
        known: The same columns.

    Returns:
        For each identifier that is not new, the lowest identical crystal in ``known``, or else in ``verified``.
    """
    compared = _by_formula(known.filter(pl.col("formula_pretty").is_in(verified["formula_pretty"].unique().implode())))
    twins = {}
    for formula, crystals in _by_formula(verified).items():
        for one in crystals:
            twin = next((other for other in compared[formula] if _are_same(one, other)), None)
            if twin is None:
                compared[formula].append(one)
            else:
                twins[one.material_id] = twin.material_id
    return twins


def _by_formula(table: pl.DataFrame) -> defaultdict[str, list[_One]]:
    """Crystals of each formula, the lowest first."""
    table = table.sort("energy_per_atom", "material_id")
    groups: defaultdict[str, list[_One]] = defaultdict(list)
    columns = table.select("formula_pretty", "material_id", "decorated_prototype").iter_rows()
    for (formula, material_id, label), crystal in zip(columns, decode(table), strict=True):
        groups[formula].append(_One(material_id, label, crystal.to_pymatgen()))
    return groups


def _are_same(one: _One, other: _One) -> bool:
    return one.label == other.label or same_structure(one.forms, other.forms)


def reduced(structure: Structure) -> Forms:
    """A crystal in the two cells in which it is compared: reduced and primitive, and reduced as it is.

    A crystal may be near a smaller cell: then it is reduced to that, and after a small move of its atoms it is not.
    """
    niggli = structure.get_reduced_structure(reduction_algo="niggli")
    return niggli.get_primitive_structure(), niggli


def same_structure(one: Forms, other: Forms) -> bool:
    """Whether two crystals of one composition are the same, atom by atom."""
    return any(_matcher().fit(*pair, skip_structure_reduction=True) for pair in _pairs(one, other))


def same_prototype(one: Forms, other: Forms) -> bool:
    """Whether two crystals are the same, atom by atom, but for which elements they have."""
    return any(_matcher().fit_anonymous(*pair, skip_structure_reduction=True) for pair in _pairs(one, other))


def _pairs(one: Forms, other: Forms) -> Iterator[Forms]:
    """Cells of one kind and size, in both orders, which can matter to the matcher."""
    for pair in zip(one, other, strict=True):
        if len(pair[0]) == len(pair[1]):
            yield pair
            yield pair[::-1]


@lru_cache(maxsize=1)
def _matcher() -> StructureMatcher:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return StructureMatcher(LENGTH_TOLERANCE, SITE_TOLERANCE, ANGLE_TOLERANCE)
