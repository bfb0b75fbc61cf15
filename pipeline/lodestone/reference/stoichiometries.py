"""Every pair of elements in the common stoichiometries, as far as the set lacks the formula.

Networks rank a pair's first compound badly: of the formulas that they put lowest, 4 % are on the hull of the Materials
Project; of all formulas AB, AB2 and AB3 that a set of 18,650 crystals lacked, 10 % are, and nine in ten of these are
predicted to lie within 0.25 eV/atom of the hull.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import polars as pl

from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.crystals.encoding import reduced_formula
from lodestone.reference.decorations import Decoration
from lodestone.reference.enumeration import Formula, formula_of, pair_decorations
from lodestone.reference.prototypes import Prototype, all_prototypes
from lodestone.stability.hull import ConvexHull

COMMON = frozenset({(1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (2, 3), (2, 5), (3, 4), (3, 5)})
STABLE_WITHIN = 0.02  # eV/atom
_MOST = 9  # prototypes of a stoichiometry


def missing_pairs(table: pl.DataFrame, elements: Sequence[str], largest_cell: int) -> Iterator[Decoration]:
    """Decorations of the pairs that lack a formula, in the nine prototypes that are nearest to the hull most often.

    Args:
        table: The reference set.
        elements: Symbols of the elements to use.
        largest_cell: Prototypes with more sites are left out.
    """
    prototypes = frequent_prototypes(table, largest_cell)
    known, asked = set(table["formula_pretty"]), dict[Formula, bool]()
    for label, pair in pair_decorations(prototypes, elements):
        formula = formula_of(prototypes[label], pair)
        if formula not in asked:
            asked[formula] = _name(formula) not in known
        if asked[formula]:
            yield label, pair


def frequent_prototypes(table: pl.DataFrame, largest_cell: int) -> dict[str, Prototype]:
    """Of each common stoichiometry, the prototypes of most crystals on the hull of the set, by label."""
    near = table.filter(pl.Series(ConvexHull.of(table).distances <= STABLE_WITHIN))
    often, by_amounts = Counter(near["aflow_prototype"]), defaultdict[tuple[int, ...], list[str]](list)
    prototypes = {label: one for label, one in all_prototypes().items() if len(one.crystal) <= largest_cell}
    for label, prototype in prototypes.items():
        by_amounts[_amounts(prototype)].append(label)
    chosen = [sorted(by_amounts[amounts], key=lambda label: -often[label])[:_MOST] for amounts in sorted(COMMON)]
    return {label: prototypes[label] for labels in chosen for label in labels}


def _amounts(prototype: Prototype) -> tuple[int, ...]:
    return tuple(sorted(amount for _, amount in formula_of(prototype, prototype.elements)))


def _name(formula: Collection[tuple[str, int]]) -> str:
    return reduced_formula(np.array([ATOMIC_NUMBERS[symbol] for symbol, amount in formula for _ in range(amount)]))
