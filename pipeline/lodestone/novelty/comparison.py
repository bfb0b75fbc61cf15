"""Crystals compared atom by atom, where keys leave it open whether they are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import groupby, permutations, product

import numpy as np
import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import decode
from lodestone.discovery.duplicates import Forms, reduced, same_prototype, same_structure
from lodestone.novelty.fingerprints import are_near, fingerprint

Compare = Callable[[Forms, Forms], bool]


def twins_of(finds: pl.DataFrame, phases: pl.DataFrame, tolerance: float) -> pl.DataFrame:
    """Crystals that are the same as a known one under another label: ``find``, ``twin``."""
    pairs = [
        (find, group["material_id"][row])
        for some, group in _groups(finds, phases, "formula_pretty")
        for find, row in _equal(some, group, tolerance, same_structure)
    ]
    return pl.DataFrame(pairs, schema={"find": pl.UInt32, "twin": pl.String}, orient="row")


def familiar_of(finds: pl.DataFrame, phases: pl.DataFrame, tolerance: float) -> list[int]:
    """Crystals that have the structure of a known one of other elements, under another label.

    Of the known crystals of one label, the first stands for all.
    """
    types = phases.unique("prototype", keep="first", maintain_order=True)
    return [
        find
        for some, group in _groups(finds, types, "anonymous")
        for find, _ in _equal(some, group, tolerance, same_prototype, by_element=False)
    ]


def _groups(finds: pl.DataFrame, phases: pl.DataFrame, key: str) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Finds and known crystals of each value of a key that both have."""
    crystals = phases.filter(~pl.col("is_bare"))
    shared = crystals.join(finds, on=key, how="semi", maintain_order="left").partition_by(key, as_dict=True)
    for value, group in finds.partition_by(key, as_dict=True).items():
        if value in shared:
            yield group, shared[value]


def _equal(
    finds: pl.DataFrame, phases: pl.DataFrame, tolerance: float, compare: Compare, *, by_element: bool = True
) -> Iterator[tuple[int, int]]:
    """Each find that compares as equal with a known crystal, and the row of the first of these.

    Where elements do not count, they may change places with others of the same share of the formula.
    """
    others = decode(phases)
    forms = cache(lambda row: reduced(others[row].to_pymatgen()))
    prints = np.array([fingerprint(other) if by_element else _by_share(other) for other in others])
    for find, crystal in zip(finds["find"], decode(finds), strict=True):
        mine = [fingerprint(crystal)] if by_element else [_by_share(crystal)[list(way)] for way in _ways(crystal)]
        near = np.flatnonzero(np.any([are_near(one, prints, tolerance) for one in mine], axis=0))
        own = reduced(crystal.to_pymatgen()) if len(near) else None
        row = next((int(row) for row in near if own is not None and compare(own, forms(int(row)))), None)
        if row is not None:
            yield find, row


def _by_share(crystal: Crystal) -> np.ndarray:
    """The fingerprint, elements of the smallest share of the formula first."""
    return fingerprint(crystal)[np.argsort(_counts(crystal), kind="stable")]


def _ways(crystal: Crystal) -> Iterator[Sequence[int]]:
    """All orders of elements by their shares, equal ones in any order."""
    shares = sorted(_counts(crystal))
    blocks = [[place for place, _ in block] for _, block in groupby(enumerate(shares), key=lambda pair: pair[1])]
    for way in product(*(permutations(block) for block in blocks)):
        yield [place for places in way for place in places]


def _counts(crystal: Crystal) -> list[int]:
    return np.unique(crystal.atomic_numbers, return_counts=True)[1].tolist()
