"""Crystals as a campaign would propose them, before relaxation.

A model that screens candidates sees unrelaxed structures: those of another compound, with elements replaced, at a
guessed volume. Where the relaxed crystal is known too, so is the energy that the unrelaxed one relaxes to, and the pair
can serve for training and testing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import decode
from lodestone.crystals.symmetry import orbits_by_element
from lodestone.runtime.seeds import child_generator
from lodestone.substitution.parents import draw_parent, families, likeliest_parent, near_hull
from lodestone.substitution.probabilities.hautier import hautier_probabilities
from lodestone.substitution.volumes import AtomicVolumes
from lodestone.tables.subsets import HELD_OUT, subset


def make_unrelaxed(
    targets: pl.DataFrame, parents: pl.DataFrame, generator: np.random.Generator
) -> list[Crystal | None]:
    """Rebuild each crystal from another one of its prototype, by the likeliest substitution.

    Args:
        targets: Crystals with ``decorated_prototype`` and ``prototype``; only these labels are read, so
            their geometry cannot leak into the result.
        parents: Known crystals to start from; those with the same decorated prototype are left out.
        generator: Draws the parents to examine, where there are many.

    Returns:
        For each target the parent with its elements replaced, at the volume suggested by the new elements, or ``None``
        where no other crystal has the prototype.
    """
    if parents.is_empty():
        return [None] * len(targets)
    crystals, labels = decode(parents), parents["decorated_prototype"].to_list()
    volumes, relatives, table = AtomicVolumes.fit(crystals), families(parents), hautier_probabilities()
    unrelaxed: list[Crystal | None] = []
    for prototype, label in targets.select("prototype", "decorated_prototype").iter_rows():
        row = likeliest_parent(relatives[prototype], label, table, generator) if prototype in relatives else None
        unrelaxed.append(None if row is None else _child(label, labels[row], crystals[row], volumes))
    return unrelaxed


def draw_unrelaxed(
    targets: pl.DataFrame, parents: pl.DataFrame, generator: np.random.Generator
) -> list[Crystal | None]:
    """Rebuild each crystal as the candidate generator would: from a parent drawn by the generator's rule.

    A parent lies near the hull, at most two of its elements are replaced, no replacement is improbable, and likelier
    ones are drawn more often (:mod:`lodestone.substitution.parents`). Candidates reach screening by the same rule, so
    errors measured here are those to expect there. The limits are the generator's defaults: a campaign's networks do
    not depend on its own limits.

    On the reference set (714 held-out crystals, 3,228 parents, networks of two rounds) this draw reaches 479 crystals;
    taking the likeliest of 16 parents reaches 703. On these 479 the networks err by 0.083 and 0.079 eV/atom, where the
    likeliest parent gives 0.091 and 0.082; on all 703 it gives 0.104 and 0.095, as crystals that no substitution leads
    to are harder. Volumes are off by 11 % (mean of the logarithm) either way.

    Args:
        targets: Crystals with ``decorated_prototype`` and ``prototype``; only these labels are read, so
            their geometry cannot leak into the result.
        parents: Known crystals to start from, with ``energy_above_hull``.
        generator: Draws the parents.

    Returns:
        For each target its unrelaxed structure, or ``None`` where the generator would not propose it.
    """
    if parents.is_empty():
        return [None] * len(targets)
    crystals, labels = decode(parents), parents["decorated_prototype"].to_list()
    volumes, relatives, table = AtomicVolumes.fit(crystals), families(near_hull(parents)), hautier_probabilities()
    unrelaxed: list[Crystal | None] = []
    for prototype, label in targets.select("prototype", "decorated_prototype").iter_rows():
        row = draw_parent(relatives[prototype], label, table, generator) if prototype in relatives else None
        unrelaxed.append(None if row is None else _child(label, labels[row], crystals[row], volumes))
    return unrelaxed


def _child(label: str, parent_label: str, parent: Crystal, volumes: AtomicVolumes) -> Crystal:
    _, new = replacement(orbits_by_element(parent_label), orbits_by_element(label))
    return volumes.rescale(parent, parent.with_elements(new))


def replacement(old: Mapping[int, str], new: Mapping[int, str]) -> tuple[float, dict[int, int]]:
    """The likeliest way to replace old elements by new ones.

    Args:
        old: Orbits of each element, see :func:`lodestone.crystals.symmetry.orbits_by_element`.
        new: The same for the new elements, with the same prototype.

    Returns:
        Product of the probabilities (1 for an element that stays), and the new element for each old one.
    """
    table = hautier_probabilities()
    chosen: dict[int, int] = {}
    for orbits in sorted(set(old.values())):
        places, elements = ([z for z in sorted(side) if side[z] == orbits] for side in (old, new))
        ways = [dict(zip(places, order, strict=True)) for order in permutations(elements, len(places))]
        likeliest = ways[0] if len(ways) == 1 else max(ways, key=lambda way: _probability(table, way))
        chosen |= likeliest
    return _probability(table, chosen), chosen


def _probability(table: np.ndarray, way: Mapping[int, int]) -> float:
    return math.prod(1.0 if old == new else float(table[new, old]) for old, new in way.items())


@dataclass(frozen=True)
class UnrelaxedStructures:
    """Crystals for which an unrelaxed structure exists, and these structures.

    Attributes:
        table: The relaxed crystals, sorted by ``material_id``.
        crystals: Unrelaxed structure of each.
    """

    table: pl.DataFrame
    crystals: list[Crystal]

    def of(self, split: str) -> tuple[pl.DataFrame, list[Crystal]]:
        """Those of one split."""
        chosen = self.table["split"] == split
        return self.table.filter(chosen), [crystal for crystal, own in zip(self.crystals, chosen, strict=True) if own]


def unrelaxed_to_train_on(learned: pl.DataFrame, crystals: pl.DataFrame, seed: int) -> list[Crystal | None]:
    """What is learned, rebuilt from the training crystals; ``None`` where that is impossible."""
    return make_unrelaxed(learned, subset(crystals, "train"), child_generator(seed, "unrelaxed", "train"))


def unrelaxed_held_out(crystals: pl.DataFrame, seed: int) -> UnrelaxedStructures:
    """Validation and test crystals as the generator would propose them from training crystals, where it would."""
    held_out = subset(crystals, *HELD_OUT)
    unrelaxed = draw_unrelaxed(held_out, subset(crystals, "train"), child_generator(seed, "unrelaxed", "held out"))
    rows = [row for row, crystal in enumerate(unrelaxed) if crystal is not None]
    return UnrelaxedStructures(held_out[rows], [crystal for crystal in unrelaxed if crystal is not None])
