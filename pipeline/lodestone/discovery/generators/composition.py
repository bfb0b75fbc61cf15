"""From formulas to crystals: balanced formulas, filtered by the composition view, then structures for those left.

Merchant et al., Nature 624, 80 (2023), call it the compositional framework. It leads to formulas that no substitution
reaches.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import islice

import numpy as np
from pydantic import Field

from lodestone.config.discovery import SubstitutingParams
from lodestone.config.registry import GENERATORS
from lodestone.config.sections import Count, Positive
from lodestone.crystals.compositions import Elements, elements_of
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS
from lodestone.crystals.encoding import decode
from lodestone.discovery.generators.base import Known, Proposal, Unbuilt
from lodestone.discovery.generators.substitution import relabel
from lodestone.errors import LodestoneError
from lodestone.runtime.parallel import Outcome, OutOfTimeError
from lodestone.runtime.progress import track
from lodestone.structure_prediction.formulas import Formula, FormulaLimits, balanced_formulas
from lodestone.structure_prediction.prototypes import Decoration, Prototypes
from lodestone.structure_prediction.random_structures import RandomStructure, check_installed, random_structures
from lodestone.substitution.draw import MOST_ABOVE_HULL
from lodestone.substitution.oxidation_states import reported_states
from lodestone.substitution.table import probability_table


class CompositionRouteParams(SubstitutingParams):
    """Settings of the generator `composition`."""

    formulas: Count = Field(100_000, description="new charge-balanced formulas that the composition view judges")
    formulas_per_system: Count = Field(20, description="most of them in one chemical system")
    max_odd_states: int = Field(
        1, ge=0, description="elements of a formula that may lie between their lowest and highest oxidation state"
    )
    known_in_system: int = Field(
        0,
        ge=0,
        description="known crystals that a chemical system must have, besides those of its subsystems: where there are "
        "none, the hull lacks what a new compound would have to compete with",
    )
    new_stoichiometries: bool = Field(
        False, description="whether formulas may have numbers of atoms, as A2B3, that no known crystal has"
    )
    compositions: Count = Field(500, description="formulas, lowest above the hull, for which structures are made")
    prototypes: int = Field(
        20, ge=0, description="most structures of a composition by known prototypes, likeliest substitutions first"
    )
    random_structures: int = Field(
        1,
        ge=0,
        description="random structures of a composition along symmetry, by PyXtal (extra `random-structures`); 0: none",
    )
    max_seconds: Positive = Field(60.0, description="for one random structure; then it is given up, and counted")
    max_parent_energy_above_hull: float = Field(
        MOST_ABOVE_HULL, ge=0, description="prototypes of crystals further from the hull are not used, eV/atom"
    )


@GENERATORS.register("composition", settings=CompositionRouteParams)
@dataclass(frozen=True)
class CompositionRoute:
    """Structures for the formulas that the composition view puts lowest."""

    settings: CompositionRouteParams

    def propose(self, known: Known, rng: np.random.Generator, limit: int) -> Iterator[Proposal | Unbuilt]:
        """Structures for new formulas, the lowest above the hull first.

        See :class:`Generator`.

        Raises:
            LodestoneError: If there is no ensemble that judges formulas, or PyXtal is wanted and not installed.
        """
        noise = rng.spawn(1)[0]
        yield from self.structures(self._lowest(known, rng), known, noise)

    def structures(
        self, formulas: Sequence[Formula], known: Known, rng: np.random.Generator
    ) -> Iterator[Proposal | Unbuilt]:
        """Structures for formulas of which nothing else is known: of each, known prototypes and then random ones.

        Args:
            formulas: Any that have no known crystal.
            known: Crystals whose prototypes are used, and the largest cell.
            rng: Source of randomness of random structures.

        Raises:
            LodestoneError: If PyXtal is wanted and not installed.
        """
        highest = self.settings.max_parent_energy_above_hull
        prototypes = Prototypes.of(known.crystals, known.max_sites, highest)
        table = probability_table(self.settings.probabilities, known.crystals, highest)
        random = self._random(formulas, prototypes, known.max_sites, rng)
        labels, names = (known.crystals[name].to_list() for name in ("decorated_prototype", "material_id"))
        for place, formula in enumerate(formulas):
            for decoration in prototypes.decorations(formula, table, self.settings.prototypes):
                row = decoration.row
                yield _decorated(decoration, labels[row], names[row], prototypes.structure(decoration))
            yield from random[place]

    def _lowest(self, known: Known, rng: np.random.Generator) -> list[Formula]:
        """New formulas, by the predicted distance above the hull."""
        if known.judge_formulas is None:
            problem = "the generator composition needs an ensemble that judges formulas, and there is none"
            raise LodestoneError(problem, "use it in a campaign, with a view of compositions among `views`")
        old = {Formula.of(crystal.atomic_numbers) for crystal in decode(known.crystals)}
        new = (formula for formula in self._formulas(known, old, rng) if formula not in old)
        found = list(islice(new, self.settings.formulas))
        above = known.judge_formulas([formula.as_crystal() for formula in found]) if found else np.empty(0)
        return [found[place] for place in np.argsort(above, kind="stable")[: self.settings.compositions]]

    def _formulas(self, known: Known, old: Set[Formula], rng: np.random.Generator) -> Iterator[Formula]:
        unknown = sorted(symbol for symbol in known.elements if not reported_states().get(symbol))
        if unknown:
            text = f"composition: no oxidation states are known of {', '.join(unknown)}; formulas do without"
            print(text, file=sys.stderr, flush=True)
        limits = FormulaLimits(
            max_elements=known.max_elements,
            max_atoms=known.max_sites,
            max_odd_states=self.settings.max_odd_states,
            rule=known.charge_rule,
            stoichiometries=None if self.settings.new_stoichiometries else frozenset(x.stoichiometry for x in old),
            systems=self._explored(known) if self.settings.known_in_system else None,
        )
        return balanced_formulas(
            [ATOMIC_NUMBERS[symbol] for symbol in known.elements],
            rng,
            limits,
            urgent=known.incomplete_numbers(),
            most_per_system=self.settings.formulas_per_system,
        )

    def _explored(self, known: Known) -> frozenset[Elements]:
        systems = Counter(known.crystals["chemsys"])
        return frozenset(elements_of(name) for name, n in systems.items() if n >= self.settings.known_in_system)

    def _random(
        self, formulas: Sequence[Formula], prototypes: Prototypes, max_sites: int, rng: np.random.Generator
    ) -> list[list[Proposal | Unbuilt]]:
        """Random structures of each formula."""
        if self.settings.random_structures:
            check_installed()
        tasks = {
            f"{place}-{number}": RandomStructure(
                formula=formula,
                max_sites=max_sites,
                volume=float(prototypes.volumes.values[formula.atomic_numbers].sum()),
                seed=int(rng.integers(2**32)),
            )
            for place, formula in enumerate(formulas)
            for number in range(self.settings.random_structures)
        }
        outcomes = random_structures(tasks, self.settings.max_seconds)
        made = {one.key: _proposal(one) for one in track(outcomes, total=len(tasks), title="random structures")}
        numbers = range(self.settings.random_structures)
        return [[made[f"{place}-{number}"] for number in numbers] for place in range(len(formulas))]


def _decorated(decoration: Decoration, label: str, parent: str, crystal: Crystal) -> Proposal:
    pairs = tuple((old, new) for old, new in sorted(decoration.mapping.items()) if old != new)
    told = ",".join(f"{SYMBOLS[old]}>{SYMBOLS[new]}" for old, new in pairs)
    return Proposal(crystal, relabel(label, pairs), decoration.probability, {"parent": parent, "substitution": told})


def _proposal(outcome: Outcome[Crystal]) -> Proposal | Unbuilt:
    """PyXtal may raise anything."""
    if outcome.value is None:
        return Unbuilt(out_of_time=isinstance(outcome.error, OutOfTimeError))
    return Proposal.of(outcome.value, 0.0, random_structure=int(outcome.key.rpartition("-")[2]))
