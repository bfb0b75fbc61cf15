"""Crystals as a campaign would propose them, before anybody has relaxed them.

A model that screens candidates sees unrelaxed structures: another compound's, with other elements, at a guessed volume.
Where the relaxed crystal is known, too, the unrelaxed one comes with the energy that it relaxes to: something to learn
from, and to measure by.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import decode
from lodestone.crystals.symmetry import orbits_by_element
from lodestone.runtime.seeds import child_generator
from lodestone.substitution.parents import draw_parent, families
from lodestone.substitution.probabilities import substitution_probabilities
from lodestone.substitution.volumes import AtomicVolumes
from lodestone.tables.subsets import HELD_OUT, subset

_MOST_PARENTS = 16  # looked at for each crystal: common prototypes have thousands


def make_unrelaxed(
    targets: pl.DataFrame, parents: pl.DataFrame, generator: np.random.Generator
) -> list[Crystal | None]:
    """Make each crystal anew from another one of its prototype, by the substitution that is likeliest.

    Args:
        targets: Crystals with ``decorated_prototype`` and ``prototype``; only these labels are read, so that nothing of
            their geometry can leak into the answer.
        parents: Known crystals to make them from; those of the very composition are left out.
        generator: Draws the parents that are looked at, where there are many.

    Returns:
        For each target the parent with its elements replaced, at the volume that the new elements suggest, or ``None``
        where no other crystal has the prototype.
    """
    if parents.is_empty():
        return [None] * len(targets)
    crystals, labels = decode(parents), parents["decorated_prototype"].to_list()
    volumes = AtomicVolumes.fit(crystals)
    rows: dict[str, list[int]] = defaultdict(list)
    for row, prototype in enumerate(parents["prototype"]):
        rows[prototype].append(row)
    made: list[Crystal | None] = []
    for prototype, label in targets.select("prototype", "decorated_prototype").iter_rows():
        known = [row for row in rows.get(prototype, []) if labels[row] != label]
        drawn = generator.permutation(known)[:_MOST_PARENTS] if len(known) > _MOST_PARENTS else known
        made.append(_likeliest(label, [int(row) for row in drawn], labels, crystals, volumes))
    return made


def draw_unrelaxed(
    targets: pl.DataFrame, parents: pl.DataFrame, generator: np.random.Generator
) -> list[Crystal | None]:
    """Make each crystal anew as the generator of candidates would have: from a parent drawn by the generator's law.

    A parent lies near the hull, at most two of its elements are replaced, none improbably, and likelier ones are drawn
    more often (:mod:`lodestone.substitution.parents`). What screening sees of candidates is drawn alike, so errors
    measured here are those to expect there. The limits are the generator's defaults: those of a campaign are no
    dependency of its networks.

    On the reference set (714 held-out crystals, 3,228 to make them from, networks of two rounds) this draw reaches 479
    crystals, the likeliest of 16 parents 703. On these 479 the networks err by 0.083 and 0.079 eV/atom, where the
    likeliest parent gives 0.091 and 0.082, and on all 703 it gives 0.104 and 0.095: crystals that no substitution
    leads to are the harder ones. Volumes are off by 11 % (mean of the logarithm) by either draw.

    Args:
        targets: Crystals with ``decorated_prototype`` and ``prototype``; only these labels are read, so that nothing of
            their geometry can leak into the answer.
        parents: Known crystals to make them from, with ``energy_above_hull``.
        generator: Draws the parents.

    Returns:
        For each target its unrelaxed structure, or ``None`` where the generator would not propose it.
    """
    if parents.is_empty():
        return [None] * len(targets)
    crystals, labels = decode(parents), parents["decorated_prototype"].to_list()
    volumes, relatives = AtomicVolumes.fit(crystals), families(parents)
    made: list[Crystal | None] = []
    for prototype, label in targets.select("prototype", "decorated_prototype").iter_rows():
        row = draw_parent(relatives[prototype], label, generator) if prototype in relatives else None
        made.append(None if row is None else _child(label, labels[row], crystals[row], volumes))
    return made


def _child(label: str, parent_label: str, parent: Crystal, volumes: AtomicVolumes) -> Crystal:
    _, new = replacement(orbits_by_element(parent_label), orbits_by_element(label))
    return volumes.rescale(parent, parent.with_elements(new))


def _likeliest(
    label: str, rows: Sequence[int], labels: Sequence[str], crystals: Sequence[Crystal], volumes: AtomicVolumes
) -> Crystal | None:
    wanted = orbits_by_element(label)
    found = [(*replacement(orbits_by_element(labels[row]), wanted), row) for row in rows]
    if not found:
        return None
    probability, new, row = max(found, key=lambda item: item[0])
    return volumes.rescale(crystals[row], crystals[row].with_elements(new)) if probability else None


def replacement(old: Mapping[int, str], new: Mapping[int, str]) -> tuple[float, dict[int, int]]:
    """The likeliest way to put new elements where the old ones stand.

    Args:
        old: Orbits of each element, see :func:`lodestone.crystals.symmetry.orbits_by_element`.
        new: Likewise, of the same prototype.

    Returns:
        Product of the probabilities, an element that stays counting 1, and the new element for each old one.
    """
    table = substitution_probabilities()
    chosen: dict[int, int] = {}
    for orbits in sorted(set(old.values())):
        places, elements = ([z for z in sorted(side) if side[z] == orbits] for side in (old, new))
        ways = [dict(zip(places, order, strict=True)) for order in permutations(elements, len(places))]
        likeliest = max(ways, key=lambda way: _probability(table, way))
        chosen |= likeliest
    return _probability(table, chosen), chosen


def _probability(table: np.ndarray, way: Mapping[int, int]) -> float:
    return float(np.prod([1.0 if old == new else table[new, old] for old, new in way.items()]))


@dataclass(frozen=True)
class UnrelaxedStructures:
    """Crystals that have an unrelaxed structure, and the unrelaxed structures.

    Attributes:
        table: The relaxed crystals, sorted by ``material_id``.
        crystals: Each of them as it would be guessed.
    """

    table: pl.DataFrame
    crystals: list[Crystal]


def unrelaxed_to_train_on(crystals: pl.DataFrame, seed: int) -> list[Crystal | None]:
    """The training crystals, sorted by ``material_id``, as others of them would suggest; ``None`` where none does."""
    train = subset(crystals, "train")
    return make_unrelaxed(train, train, child_generator(seed, "unrelaxed", "train"))


def unrelaxed_held_out(crystals: pl.DataFrame, seed: int) -> UnrelaxedStructures:
    """The validation and test crystals as the generator would propose them from training crystals, where it would."""
    held_out = subset(crystals, *HELD_OUT)
    made = draw_unrelaxed(held_out, subset(crystals, "train"), child_generator(seed, "unrelaxed", "held out"))
    rows = [row for row, crystal in enumerate(made) if crystal is not None]
    return UnrelaxedStructures(held_out[rows], [crystal for crystal in made if crystal is not None])
