"""What is searched, and where the search stands: the known crystals, the networks, the hull."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from lodestone.config.load import load_params
from lodestone.config.params import Params
from lodestone.config.rounds import round_names
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.crystals.encoding import decode
from lodestone.discovery.generators.base import Known
from lodestone.discovery.generators.substitution import SubstitutionParams, parents_among
from lodestone.discovery.proposals import Rules, rules_of
from lodestone.discovery.state import RoundState
from lodestone.ensemble.ensemble import Ensemble, load_ensemble
from lodestone.errors import LodestoneError
from lodestone.schemas import Attempts, Crystals, Phases, References
from lodestone.stability.hull import ConvexHull
from lodestone.substitution.draw import LEAST_PROBABILITY, MOST_ABOVE_HULL
from lodestone.substitution.table import probability_table
from lodestone.substitution.volumes import AtomicVolumes
from lodestone.tables.files import read_table
from lodestone.tables.layout import Layout


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search among the children of the crystals that a finished campaign knows.

    Attributes:
        campaign: Its folder.
        params: Its parameter file, relative to the folder.
        keep: Candidates that are kept, the likeliest to be stable.
        least: Smallest probability of a substitution.
        parents: Crystals further from the hull have no children, eV/atom.
        count: Stop after so many candidates; ``None``: when there are no more.
        seed: Of the order of the families and of the sample that the cascade is measured on.
    """

    campaign: Path
    params: Path
    keep: int = 10_000
    least: float = LEAST_PROBABILITY
    parents: float = MOST_ABOVE_HULL
    count: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Ground:
    """What a search reads.

    Attributes:
        params: Parameters of the campaign.
        state: What it knows at its end.
        ensemble: Networks of its last round.
    """

    params: Params
    state: RoundState
    ensemble: Ensemble

    @cached_property
    def crystals(self) -> list[Crystal]:
        """Known crystals, in the order of the table."""
        return decode(self.state.crystals)

    @cached_property
    def hull(self) -> ConvexHull:
        """Of everything known, taken as exact."""
        return self.state.hull()

    @cached_property
    def volumes(self) -> AtomicVolumes:
        """Fitted to the known crystals."""
        return AtomicVolumes.fit(self.crystals)

    @cached_property
    def rules(self) -> Rules:
        """Those of the campaign, without the labels of known and tried candidates, which a family knows by itself."""
        rules = rules_of(self.state, self.params.discovery, self.params.snapshot.filters)
        return replace(rules, known=frozenset(), tried=frozenset())

    @cached_property
    def allowed(self) -> np.ndarray:
        """Atomic numbers that children may have, ascending."""
        symbols: Set[str] = self.rules.elements - self.rules.excluded
        return np.array(sorted(ATOMIC_NUMBERS[symbol] for symbol in symbols))

    @cached_property
    def table(self) -> np.ndarray:
        """Probabilities of the generator `substitution` of the campaign; its default where the campaign has none."""
        sections = (one for one in self.params.discovery.generators if isinstance(one, SubstitutionParams))
        whole = [one for one in sections if one.name == "substitution"]
        settings = whole[0] if whole else SubstitutionParams(name="substitution")
        return probability_table(settings.probabilities, self.state.crystals, settings.max_parent_energy_above_hull)

    def parents(self, search: Search) -> list[int]:
        """Rows of the crystals that have children, as the generator `substitution` chooses them."""
        limits = self.params.discovery
        known = Known(self.state.crystals, frozenset(self.rules.elements), limits.max_sites, limits.max_elements)
        return parents_among(known, search.parents, limits.max_elements)


@lru_cache(maxsize=1)
def ground_of(search: Search) -> Ground:
    """Read a finished campaign; once in a process.

    Raises:
        LodestoneError: If it is not finished.
    """
    params = load_params(search.campaign / search.params)
    layout, names = Layout(search.campaign / Layout().data), round_names(params.rounds)
    last, end = layout.round(names[-1]), layout.round(params.rounds[names[-1]].next)
    if not end.crystals.is_file():
        raise LodestoneError(f"{end.crystals} does not exist", "finish the campaign first: `lodestone discover`")
    state = RoundState(
        crystals=read_table(end.crystals, Crystals),
        attempts=read_table(end.attempts, Attempts),
        references=read_table(layout.references, References),
        phases=read_table(layout.phases, Phases),
    )
    return Ground(params, state, load_ensemble(last.folder))
