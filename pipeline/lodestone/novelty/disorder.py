"""Ordered crystals that are likely to be disordered when made.

Elements that are alike share sites at the temperatures of synthesis, while calculations at 0 K put each on sites of its
own, so that one disordered crystal, often a known one, is predicted as many ordered ones. Most of the first crystals
that a laboratory made from predictions were of this kind: Leeman et al., PRX Energy 3, 011002 (2024); Cheetham &
Seshadri, Chem. Mater. 36, 3490 (2024).

A crystal is *likely disordered* if it has two similar elements on sites that symmetry would make equal, were they one
element. The crystal that results is its *parent*, and children of one parent are a *family*.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.crystals.encoding import decode, reduced_formula
from lodestone.crystals.symmetry import dataset_of, symmetry_of
from lodestone.novelty.similarity import similar_elements

# Ordered atoms relax away from the sites of their parent. Å; wider than for labels, as these are compared with an
# ideal crystal. The finer ones come after it, as a coarse tolerance can miss symmetry, too.
SYMPRECS = (0.3, 0.1, 0.03)


@dataclass(frozen=True)
class Disorder:
    """What a crystal likely is when made.

    Attributes:
        elements: Elements that share sites, such as ``Mg/Ni``, in alphabetical order; ``;`` joins several groups.
        family: Its parent, such as ``(Mg,Ni)O AB_cF8_225_4:m-3m_4:m-3m``.
    """

    elements: str
    family: str


def disorder(finds: pl.DataFrame) -> pl.DataFrame:
    """Which crystals are likely disordered, and of which family they are.

    Args:
        finds: Columns of a crystal, and ``formula_pretty``.

    Returns:
        A row for each: ``likely_disorder`` (the elements) and ``disorder_family``; both null in all others.
    """
    found = [likely_disorder(*one) for one in zip(decode(finds), finds["formula_pretty"], strict=True)]
    return pl.DataFrame(
        {
            "likely_disorder": [one and one.elements for one in found],
            "disorder_family": [one and one.family for one in found],
        },
        schema={"likely_disorder": pl.String, "disorder_family": pl.String},
    )


def n_families(finds: pl.DataFrame) -> int:
    """Number of crystals if the children of each parent count once.

    Args:
        finds: With the column ``disorder_family``.
    """
    return int(finds["disorder_family"].is_null().sum()) + finds["disorder_family"].drop_nulls().n_unique()


def likely_disorder(crystal: Crystal, formula: str, symprecs: Sequence[float] = SYMPRECS) -> Disorder | None:
    """How a crystal is likely disordered, or ``None``.

    Args:
        crystal: An ordered crystal.
        formula: Its reduced formula.
        symprecs: Tolerances of symmetry, Å; the first that shows shared sites counts.
    """
    for symprec in symprecs:
        shared = [pair for pair in _pairs(crystal) if _share_sites(crystal, pair, symprec)]
        groups = _groups([pair for pair in shared if pair in similar_elements(formula)])
        if groups:
            parent = _merged(crystal, groups)
            label = symmetry_of(parent, symprec).prototype
            return Disorder("; ".join("/".join(group) for group in groups), f"{_formula(parent, groups)} {label}")
    return None


def _pairs(crystal: Crystal) -> Iterator[tuple[str, str]]:
    return combinations(sorted(set(crystal.species)), 2)


def _share_sites(crystal: Crystal, pair: tuple[str, str], symprec: float) -> bool:
    """Whether an orbit has atoms of both elements, were they one."""
    data = dataset_of(_merged(crystal, [pair]), symprec)
    if data is None:
        return False
    one, other = (set(np.asarray(data.orbits)[crystal.atomic_numbers == ATOMIC_NUMBERS[symbol]]) for symbol in pair)
    return not one.isdisjoint(other)


def _merged(crystal: Crystal, groups: Sequence[tuple[str, ...]]) -> Crystal:
    """The crystal with the first element of each group in the place of the others."""
    pairs = [(other, first) for first, *rest in groups for other in rest]
    return crystal.with_elements({ATOMIC_NUMBERS[other]: ATOMIC_NUMBERS[first] for other, first in pairs})


def _groups(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Elements that share sites, directly or through others."""
    groups: list[set[str]] = []
    for pair in pairs:
        joined = [group for group in groups if not group.isdisjoint(pair)]
        groups = [group for group in groups if group not in joined] + [set(pair).union(*joined)]
    return sorted(tuple(sorted(group)) for group in groups)


def _formula(parent: Crystal, groups: Sequence[tuple[str, ...]]) -> str:
    """Reduced formula of the parent, such as ``(Mg,Ni)O``."""
    names = {group[0]: f"({','.join(group)})" for group in groups}
    formula = reduced_formula(parent.atomic_numbers)
    return re.sub(r"[A-Z][a-z]?", lambda symbol: names.get(symbol[0], symbol[0]), formula)
