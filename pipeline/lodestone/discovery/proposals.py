"""Rules that every generator must obey, and generators taking turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from lodestone.config.discovery import DiscoveryParams
from lodestone.config.registry import GENERATORS
from lodestone.config.sections import Filters
from lodestone.crystals.chemistry import is_allowed
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.soundness import why_unsound
from lodestone.discovery.element_policy import excluded_elements
from lodestone.discovery.generators.base import Generator, JudgeFormulas, Known, Proposal, Unbuilt
from lodestone.discovery.state import RoundState
from lodestone.runtime.seeds import child_generator
from lodestone.substitution.charges import COMMON, ChargeRule, charge_rule, check_states, is_neutral

DROPPED = ("known", "tried", "repeated", "outside", "excluded", "unbalanced")
UNBUILT = ("unbuilt", "out_of_time")  # structures that a generator could not make, with an error, and within its limit


@dataclass(frozen=True)
class Rules:
    """What a proposal must obey.

    Attributes:
        known: Labels of known crystals.
        tried: Labels of candidates already given to the oracle.
        elements: Elements with a reference energy.
        filters: Chemistry of the snapshot.
        max_sites: Maximum number of sites in the cell.
        max_elements: Maximum number of elements; pure elements are never proposed.
        charge_rule: Rule by which compounds with anions must be neutral; ``None`` if they need not be.
        excluded: Elements that the policy of the campaign keeps out.
    """

    known: Set[str]
    tried: Set[str]
    elements: Set[str]
    filters: Filters
    max_sites: int
    max_elements: int
    charge_rule: ChargeRule | None = COMMON
    excluded: Set[str] = frozenset()

    def objection(self, proposal: Proposal, seen: Set[str]) -> str | None:
        """The first word of :data:`DROPPED` that applies to a proposal, given the labels proposed before."""
        for word, labels in (("known", self.known), ("tried", self.tried), ("repeated", seen)):
            if proposal.label in labels:
                return word
        if not self._is_inside(proposal):
            return "outside"
        if not self.excluded.isdisjoint(proposal.crystal.species):
            return "excluded"
        if self.charge_rule and not is_neutral(proposal.crystal.atomic_numbers, self.charge_rule):
            return "unbalanced"
        return None

    def _is_inside(self, proposal: Proposal) -> bool:
        elements = set(proposal.crystal.species)
        sizes = len(proposal.crystal) <= self.max_sites and 1 < len(elements) <= self.max_elements
        allowed = sizes and elements <= self.elements and is_allowed(elements, self.filters)
        return allowed and why_unsound(proposal.crystal) is None  # the ensemble would refuse to predict it


@dataclass(frozen=True)
class Proposals:
    """What a round proposes.

    Attributes:
        items: Pairs of generator name and proposal.
        dropped: Number of dropped proposals, by the words of :data:`DROPPED`, and by those of :data:`UNBUILT` that
            happened.
        judged: Generators whose proposals are a choice of networks, as they asked :attr:`Known.judge_formulas`.
    """

    items: list[tuple[str, Proposal]]
    dropped: Mapping[str, int]
    judged: Set[str] = frozenset()


def propose(
    name: str,
    state: RoundState,
    params: DiscoveryParams,
    filters: Filters,
    seed: int,
    *,
    judge_formulas: JudgeFormulas | None = None,
) -> Proposals:
    """Collect proposals from the generators of a campaign.

    Args:
        name: Name of the round; with the seed it fixes each generator's draws, independent of the other generators.
        state: Known crystals, attempts and references.
        params: The generators and their limits.
        filters: Chemistry of the snapshot; outside it the competing phases are unknown.
        seed: Root seed.
        judge_formulas: For generators that begin with formulas, see :class:`Known`.
    """
    rules = rules_of(state, params, filters)
    known = Known(
        crystals=state.crystals,
        elements=frozenset(rules.elements - rules.excluded),
        max_sites=rules.max_sites,
        max_elements=rules.max_elements,
        incomplete=state.incomplete_systems(),
        charge_rule=rules.charge_rule,
    )
    generators: dict[str, Generator] = {
        section.name: GENERATORS.make(section.name, section) for section in params.generators
    }
    asked: set[str] = set()
    sources = {
        label: generator.propose(
            replace(known, judge_formulas=judge_formulas and _noted(judge_formulas, asked, label)),
            child_generator(seed, name, "propose"),
            params.max_proposals,
        )
        for label, generator in generators.items()
    }
    return replace(collect(sources, rules, params.max_proposals), judged=frozenset(asked))


def rules_of(state: RoundState, params: DiscoveryParams, filters: Filters) -> Rules:
    """What the proposals of a campaign must obey.

    Args:
        state: As for :func:`propose`, like the next two.
        params: Limits.
        filters: Chemistry of the snapshot.

    Raises:
        LodestoneError: If the charge rule knows no states of an element that candidates may have.
    """
    elements = frozenset(state.references["element"])
    excluded = excluded_elements(elements, params.elements)
    return Rules(
        known=frozenset(state.crystals["decorated_prototype"]),
        tried=frozenset(state.attempts["decorated_prototype"]),
        elements=elements,
        filters=filters,
        max_sites=params.max_sites,
        max_elements=params.max_elements,
        charge_rule=_checked_rule(params.charge_balance, elements - excluded, filters),
        excluded=excluded,
    )


def _noted(judge: JudgeFormulas, asked: set[str], label: str) -> JudgeFormulas:
    """The judge, which notes that a generator has asked it."""

    def noted(formulas: Sequence[Crystal]) -> np.ndarray:
        asked.add(label)
        return judge(formulas)

    return noted


def _checked_rule(name: str, elements: Set[str], filters: Filters) -> ChargeRule | None:
    """The charge rule of a name, which must know the elements that candidates may have."""
    rule = charge_rule(name)
    if rule:
        check_states([element for element in elements if is_allowed({element}, filters)], rule)
    return rule


def collect(sources: Mapping[str, Iterator[Proposal | Unbuilt]], rules: Rules, limit: int) -> Proposals:
    """Take proposals that obey the rules, from the generators in turn, until there are enough or none are left.

    Args:
        sources: Proposals by name of the generator.
        rules: Rules they must obey.
        limit: Maximum number of proposals to keep.
    """
    seen: set[str] = set()
    dropped = Counter(dict.fromkeys(DROPPED, 0))

    def accepted(name: str, proposals: Iterator[Proposal | Unbuilt]) -> Iterator[tuple[str, Proposal]]:
        for proposal in proposals:
            if isinstance(proposal, Unbuilt):
                dropped[UNBUILT[proposal.out_of_time]] += 1
                continue
            objection = rules.objection(proposal, seen)
            if objection is None:
                seen.add(proposal.label)
                yield name, proposal
            else:
                dropped[objection] += 1

    items = list(islice(_in_turns([accepted(name, proposals) for name, proposals in sources.items()]), limit))
    return Proposals(items, dict(dropped))


def _in_turns(sources: list[Iterator[tuple[str, Proposal]]]) -> Iterator[tuple[str, Proposal]]:
    while sources:
        remaining = []
        for source in sources:
            item = next(source, None)
            if item is not None:
                remaining.append(source)
                yield item
        sources = remaining
