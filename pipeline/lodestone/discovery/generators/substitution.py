"""Propose candidates by ionic substitution in known crystals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from itertools import combinations

import numpy as np
import polars as pl

from lodestone.config.sections import DiscoveryParams
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS
from lodestone.crystals.encoding import decode
from lodestone.discovery.generators.base import Proposal, Proposals, Replacement
from lodestone.substitution.oxidation_states import ANIONS, is_charge_balanced
from lodestone.substitution.probabilities import substitution_probabilities
from lodestone.substitution.volumes import AtomicVolumes


def propose(
    known: pl.DataFrame,
    tried: Set[str],
    elements: Set[str],
    params: DiscoveryParams,
    generator: np.random.Generator,
    require_any_of: Sequence[str] | None = None,
) -> Proposals:
    """Draw candidates, likelier substitutions first, no two alike and none known or tried.

    Args:
        known: Known crystals (contract :class:`lodestone.schemas.Crystals`).
        tried: ``decorated_prototype`` of candidates already given to the oracle.
        elements: Elements that may be put in: those with a reference energy.
        params: Thresholds and limits.
        generator: Decides the draw.
        require_any_of: Candidates must hold one of these elements, as the snapshot's crystals do. Outside the chemistry
            of the snapshot the competing phases are missing, and anything would look stable.
    """
    crystals = decode(known)
    labels = known["decorated_prototype"].to_list()
    volumes = AtomicVolumes.fit(crystals)
    seen = set(labels) | set(tried)
    items: list[Proposal] = []
    n_known = 0
    for parent, replacement, probability in _draw(known, crystals, elements, params, generator):
        if len(items) == params.max_proposals:
            break
        label = relabel(labels[parent], replacement)
        if label in seen:
            n_known += 1
        elif _is_plausible(crystals[parent], replacement, require_any_of):
            child = volumes.rescale(crystals[parent], crystals[parent].with_elements(dict(replacement)))
            items.append(Proposal(parent, replacement, probability, label, child))
            seen.add(label)
    return Proposals(items, n_known)


def relabel(decorated_prototype: str, replacement: Replacement) -> str:
    """The label of a crystal after its elements were replaced.

    The label names each element with its orbits, so replacing elements is a matter of text; no symmetry search is
    needed.
    """
    pearson, number, *parts = decorated_prototype.split("_")
    new = {SYMBOLS[old]: SYMBOLS[z] for old, z in replacement}
    return "_".join([pearson, number, *sorted(_rename(part, new) for part in parts)])


def _rename(part: str, new: dict[str, str]) -> str:
    head, orbits = part.split("=", 1)
    symbol = head.rstrip("0123456789")
    return f"{new.get(symbol, symbol)}{head[len(symbol) :]}={orbits}"


def _draw(
    known: pl.DataFrame,
    crystals: list[Crystal],
    elements: Set[str],
    params: DiscoveryParams,
    generator: np.random.Generator,
) -> Iterator[tuple[int, Replacement, float]]:
    """All substitutions, in an order drawn without replacement with their probabilities as weights."""
    parents = known.with_row_index("row").filter(
        (pl.col("energy_above_hull") <= params.max_parent_energy_above_hull)
        & (pl.col("nsites") <= params.max_sites)
        & pl.col("chemsys").str.count_matches("-", literal=True).is_between(1, params.max_elements - 1)
    )
    allowed = np.array(sorted(ATOMIC_NUMBERS[symbol] for symbol in elements))
    found = [item for row in parents["row"] for item in _of_parent(int(row), crystals[row], allowed, params)]
    weights = np.array([probability for _, _, probability in found])
    # Gumbel's trick: sorting by log-weight plus Gumbel noise is drawing without replacement.
    order = np.argsort(-(np.log(weights) + generator.gumbel(size=len(weights))), kind="stable")
    return (found[index] for index in order)


def _of_parent(
    row: int, crystal: Crystal, allowed: np.ndarray, params: DiscoveryParams
) -> Iterator[tuple[int, Replacement, float]]:
    table, least = substitution_probabilities(), params.min_substitution_probability
    present = [int(z) for z in np.unique(crystal.atomic_numbers)]
    new = allowed[~np.isin(allowed, present)]
    single = {old: [(int(z), float(table[z, old])) for z in new if table[z, old] >= least] for old in present}
    for old, choices in single.items():
        yield from ((row, ((old, z),), p) for z, p in choices)
    for first, second in combinations(present, 2):
        for z, p in single[first]:
            yield from ((row, ((first, z), (second, y)), p * q) for y, q in single[second] if y != z and p * q >= least)


def _is_plausible(parent: Crystal, replacement: Replacement, require_any_of: Sequence[str] | None) -> bool:
    """Compounds with anions must be charge balanced; intermetallics have no charges to balance."""
    numbers, counts = np.unique(parent.with_elements(dict(replacement)).atomic_numbers, return_counts=True)
    symbols = tuple(SYMBOLS[z] for z in numbers)
    if require_any_of is not None and not set(symbols) & set(require_any_of):
        return False
    ionic = any(symbol in ANIONS for symbol in symbols)
    divisor = np.gcd.reduce(counts)
    return not ionic or is_charge_balanced(symbols, tuple(int(n // divisor) for n in counts))
