"""Ionic substitution on some atoms of an element only, along symmetry: GNoME's SAPS.

Merchant et al., Nature 624, 80 (2023), call it symmetry-aware partial substitution: it leads to prototypes that no
known crystal has, which the substitution of whole elements cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache

import numpy as np
from pydantic import Field

from lodestone.config.registry import GENERATORS
from lodestone.config.sections import Count
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS
from lodestone.crystals.encoding import decode
from lodestone.crystals.motions import primitive_motions
from lodestone.crystals.supercells import supercell
from lodestone.crystals.symmetry import symmetry_of
from lodestone.discovery.generators.base import Known, Proposal
from lodestone.discovery.generators.substitution import SubstitutionParams, parents_among, relabel, table_of
from lodestone.substitution.charges import ChargeRule, is_neutral
from lodestone.substitution.draw import Replacement, Substitution, draw_substitutions
from lodestone.substitution.orderings import Ordering, orderings
from lodestone.substitution.volumes import AtomicVolumes

_KEPT_PARENTS = 4_000  # whose orderings are remembered


class PartialSubstitutionParams(SubstitutionParams):
    """Settings of the generator `partial_substitution`."""

    max_cells: Count = Field(4, description="primitive cells of a parent in the largest supercell")
    orderings_per_substitution: Count = Field(
        2, description="most candidates of one parent and one replacement; more symmetric ones are drawn more often"
    )


@dataclass(frozen=True, eq=False)
class Parent:
    """A known crystal, its primitive cell, and what can be replaced in it.

    Attributes:
        crystal: Primitive cell.
        orderings: By atomic number.
        labels: Labels of orderings, as they become known: one symmetry search serves all elements.
    """

    crystal: Crystal
    orderings: dict[int, list[Ordering]]
    labels: dict[Ordering, str] = field(default_factory=dict)

    def label(self, ordering: Ordering, replacement: Replacement) -> str:
        """Decorated label of a child, by that of the same child with a placeholder on the chosen atoms."""
        (old, new), *second = replacement
        placeholder = next(z for z in range(1, len(SYMBOLS)) if z not in self.orderings)
        if ordering not in self.labels:
            self.labels[ordering] = symmetry_of(self.child(ordering, ((old, placeholder),))).decorated
        return relabel(self.labels[ordering], ((placeholder, new), *second))

    def child(self, ordering: Ordering, replacement: Replacement) -> Crystal:
        """The crystal with some atoms of an element replaced, and with all that are left of a second one."""
        (_, new), *second = replacement
        cell = supercell(self.crystal, ordering.form).with_elements(dict(second))
        numbers = cell.atomic_numbers.copy()
        numbers[list(ordering.chosen)] = new
        return replace(cell, atomic_numbers=numbers)

    def neutral(self, replacement: Replacement, rule: ChargeRule | None) -> list[Ordering]:
        """The orderings whose composition a charge rule allows; each composition is judged once."""
        (old, new), *second = replacement
        numbers, is_old = self.crystal.with_elements(dict(second)).atomic_numbers, self.crystal.atomic_numbers == old
        stays, others = numbers[is_old], numbers[~is_old]

        @cache
        def _is_neutral(chosen: int, staying: int) -> bool:
            cells = (chosen + staying) // len(stays)
            atoms = [np.repeat(others, cells), np.repeat(stays[:1], staying), np.full(chosen, new)]
            return rule is None or is_neutral(np.concatenate(atoms), rule)

        return [one for one in self.orderings[old] if _is_neutral(len(one.chosen), one.staying)]


@GENERATORS.register("partial_substitution", settings=PartialSubstitutionParams)
@dataclass(frozen=True)
class PartialSubstitutionGenerator:
    """Known crystals with an element replaced on some of its atoms, at the volume that the new elements suggest.

    The atoms that stay, or another element, can be replaced at the same time, so that charges balance.
    """

    settings: PartialSubstitutionParams

    def propose(self, known: Known, rng: np.random.Generator, limit: int) -> Iterator[Proposal]:
        """Draw replacements as `substitution` does, then for each some of the ways to choose atoms.

        See :class:`Generator`.
        """
        crystals, names = decode(known.crystals), known.crystals["material_id"].to_list()
        volumes = AtomicVolumes.fit(crystals)
        parents = parents_among(known, self.settings.max_parent_energy_above_hull, known.max_elements - 1)
        parent_of = self._parent_of(crystals, known.max_sites)
        noise = rng.spawn(1)[0]
        for substitution in self._substitutions([crystals[row] for row in parents], known, rng, limit):
            row = parents[substitution.parent]
            for proposal in self._proposals(parent_of(row), substitution, noise, known.charge_rule):
                child = volumes.rescale(crystals[row], proposal.crystal)
                yield replace(proposal, crystal=child, provenance={"parent": names[row], **proposal.provenance})

    def _parent_of(self, crystals: Sequence[Crystal], max_sites: int) -> Callable[[int], Parent]:
        @lru_cache(maxsize=_KEPT_PARENTS)
        def _parent(row: int) -> Parent:
            crystal, motions = primitive_motions(crystals[row])
            found = orderings(crystal, motions, max_sites=max_sites, max_cells=self.settings.max_cells)
            return Parent(crystal, found)

        return _parent

    def _substitutions(
        self, parents: Sequence[Crystal], known: Known, rng: np.random.Generator, limit: int
    ) -> Iterator[Substitution]:
        return draw_substitutions(
            [np.unique(crystal.atomic_numbers) for crystal in parents],
            np.array(sorted(ATOMIC_NUMBERS[symbol] for symbol in known.elements)),
            table_of(self.settings, known),
            rng,
            least=self.settings.min_substitution_probability,
            at_first=4 * limit,
            urgent=known.incomplete_numbers(),
            partial=True,
        )

    def _proposals(
        self, parent: Parent, substitution: Substitution, noise: np.random.Generator, rule: ChargeRule | None
    ) -> Iterator[Proposal]:
        """Candidates of one replacement, at the volume of the parent."""
        replacement = substitution.replacement
        neutral = parent.neutral(replacement, rule)
        keys = noise.gumbel(size=len(neutral)) - np.log([ordering.index for ordering in neutral])
        for place in np.argsort(-keys, kind="stable")[: self.settings.orderings_per_substitution].tolist():
            ordering = neutral[place]
            yield Proposal(
                parent.child(ordering, replacement),
                parent.label(ordering, replacement),
                substitution.probability / ordering.index,
                _provenance(replacement, ordering),
            )


def _provenance(replacement: Replacement, ordering: Ordering) -> dict[str, str | int | float]:
    """In words of the table: how many atoms of the element are replaced, and the index of the subgroup that is left."""
    total = len(ordering.chosen) + ordering.staying
    (old, new), *second = replacement
    first = f"{SYMBOLS[old]}>{SYMBOLS[new]}:{len(ordering.chosen)}/{total}"
    pairs = [first, *(f"{SYMBOLS[a]}>{SYMBOLS[b]}" for a, b in second)]
    return {"substitution": ",".join(pairs), "subgroup_index": ordering.index}
