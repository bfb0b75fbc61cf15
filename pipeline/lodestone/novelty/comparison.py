"""Crystals compared atom by atom, where keys leave it open whether they are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lodestone.crystals.encoding import decode
from lodestone.discovery.duplicates import same_prototype, same_structure
from lodestone.novelty.fingerprints import are_near, fingerprint

if TYPE_CHECKING:
    from pymatgen.core import Structure


def twins_of(finds: pl.DataFrame, phases: pl.DataFrame, tolerance: float) -> pl.DataFrame:
    """Crystals that are the same as a known one under another label: ``find``, ``twin``."""
    groups = _groups(finds, phases, "formula_pretty")
    pairs = [pair for group in groups for pair in _equal(*group, same_structure, tolerance, by_element=True)]
    return pl.DataFrame(pairs, schema={"find": pl.UInt32, "twin": pl.String}, orient="row")


def familiar_of(finds: pl.DataFrame, phases: pl.DataFrame, tolerance: float) -> list[int]:
    """Crystals that have the structure of a known one of other elements, under another label."""
    groups = _groups(finds, phases, "anonymous")
    pairs = (pair for group in groups for pair in _equal(*group, same_prototype, tolerance, by_element=False))
    return [find for find, _ in pairs]


def _groups(finds: pl.DataFrame, phases: pl.DataFrame, key: str) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Finds and known crystals of each value of a key that both have."""
    crystals = phases.filter(~pl.col("is_bare"))
    shared = crystals.join(finds, on=key, how="semi", maintain_order="left").partition_by(key, as_dict=True)
    for value, group in finds.partition_by(key, as_dict=True).items():
        if value in shared:
            yield group, shared[value]


def _equal(
    finds: pl.DataFrame,
    phases: pl.DataFrame,
    compare: Callable[[Structure, Structure], bool],
    tolerance: float,
    *,
    by_element: bool,
) -> Iterator[tuple[int, str]]:
    """Each find that compares as equal with a known crystal, and the first of these."""
    others = decode(phases)
    prints = np.array([fingerprint(other, by_element=by_element) for other in others])
    for find, crystal in zip(finds["find"], decode(finds), strict=True):
        near = np.flatnonzero(are_near(fingerprint(crystal, by_element=by_element), prints, tolerance))
        structure = crystal.to_pymatgen()
        row = next((row for row in near if compare(structure, others[row].to_pymatgen())), None)
        if row is not None:
            yield find, phases["material_id"][int(row)]
