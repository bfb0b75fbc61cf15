"""Structures for a formula from known crystals of its stoichiometry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import decode
from lodestone.structure_prediction.formulas import Formula
from lodestone.substitution.draw import MOST_ABOVE_HULL
from lodestone.substitution.parents import Family, families, near_hull
from lodestone.substitution.volumes import AtomicVolumes


@dataclass(frozen=True)
class Decoration:
    """A known crystal with all its elements replaced by those of a formula.

    Attributes:
        row: Of the known crystal in its table.
        mapping: New atomic number of each old one; an element may stay.
        probability: Product of the probabilities of the replacements.
    """

    row: int
    mapping: Mapping[int, int]
    probability: float


@dataclass(frozen=True, eq=False)
class Prototypes:
    """Known crystals, by the number of atoms of each element in their formulas.

    Attributes:
        by_counts: Families of crystals of one prototype, by ascending counts.
        crystals: All known crystals.
        volumes: Fitted to them.
    """

    by_counts: Mapping[tuple[int, ...], Sequence[Family]]
    crystals: Sequence[Crystal]
    volumes: AtomicVolumes

    @classmethod
    def of(cls, known: pl.DataFrame, max_sites: int, highest: float = MOST_ABOVE_HULL) -> Prototypes:
        """Those that are near the hull and not too large.

        Args:
            known: Contract :class:`lodestone.schemas.Crystals`.
            max_sites: Largest cell.
            highest: Largest energy above hull, eV/atom.
        """
        crystals, by_counts = decode(known), defaultdict[tuple[int, ...], list[Family]](list)
        for _, family in sorted(families(near_hull(known, highest)).items()):
            if len(crystals[family.rows[0]]) <= max_sites:
                by_counts[tuple(sorted(_counts(family)))].append(family)
        return cls(by_counts, crystals, AtomicVolumes.fit(crystals))

    def decorations(self, formula: Formula, table: np.ndarray, most: int) -> list[Decoration]:
        """The likeliest ways to put the elements of a formula on known prototypes, of each way the likeliest parent.

        Args:
            formula: What is put on them.
            table: Probability of each replacement by atomic numbers, ``[new, old]``.
            most: Maximum number of ways.
        """
        members = self.by_counts.get(formula.stoichiometry, ())
        found = [one for family in members for one in _decorations(family, formula, table)]
        return sorted(found, key=lambda one: (-one.probability, one.row))[:most]

    def structure(self, decoration: Decoration) -> Crystal:
        """The crystal of a decoration, at the volume that its elements suggest."""
        parent = self.crystals[decoration.row]
        return self.volumes.rescale(parent, parent.with_elements(dict(decoration.mapping)))


def _counts(family: Family) -> tuple[int, ...]:
    """Atoms of each element in the reduced formula, in the order of the orbits."""
    return tuple(int(orbits.split("=", 1)[0] or 1) for orbits in family.orbits)


def _decorations(family: Family, formula: Formula, table: np.ndarray) -> list[Decoration]:
    """One for each assignment of the elements to orbits; exchanges of elements on equal orbits are no other one."""
    counts = dict(zip(formula.elements, formula.counts, strict=True))
    best: dict[tuple[tuple[str, int], ...], Decoration] = {}
    for way in permutations(formula.elements):
        if tuple(counts[z] for z in way) != _counts(family):
            continue
        new = np.array(way)
        chances = np.where(new == family.elements, 1.0, table[new, family.elements]).prod(axis=1)
        place, same = int(chances.argmax()), tuple(sorted(zip(family.orbits, way, strict=True)))
        if chances[place] > (best[same].probability if same in best else 0.0):
            old = family.elements[place].tolist()
            mapping = dict(zip(old, way, strict=True))
            best[same] = Decoration(int(family.rows[place]), mapping, float(chances[place]))
    return list(best.values())
