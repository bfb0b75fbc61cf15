"""How dense the hull is: a crystal deep below a hull of few phases says more about the hull than about itself."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, combinations
from typing import Any

import polars as pl


def compounds_within(systems: Iterable[str], crystals: pl.DataFrame) -> list[int]:
    """How many compounds are known in each chemical system and its subsystems; polymorphs count once, elements never.

    Args:
        systems: Elements joined by ``-``.
        crystals: Columns ``chemsys`` and ``formula_pretty``.

    Examples:
        >>> formulas = {"NaCl": "Cl-Na", "KCl": "Cl-K", "Na": "Na"}
        >>> known = pl.DataFrame({"formula_pretty": list(formulas), "chemsys": list(formulas.values())})
        >>> compounds_within(["Cl-Na", "Cl-K-Na", "Br-Na"], known)
        [1, 2, 0]
    """
    formulas = crystals.group_by("chemsys").agg(pl.col("formula_pretty").n_unique())
    counts = {frozenset(system.split("-")): count for system, count in formulas.iter_rows()}
    return [sum(counts.get(part, 0) for part in _parts(system)) for system in systems]


def depths(energies_above_hull: pl.Series) -> dict[str, Any]:
    """How deep crystals lie below the hull they are measured from: number, median and largest depth, eV/atom.

    Args:
        energies_above_hull: Negative below the hull.

    Returns:
        ``n``, ``median`` and ``max`` (``None`` for n = 0).
    """
    depth = -energies_above_hull
    if depth.is_empty():
        return {"n": 0, "median": None, "max": None}
    return {"n": len(depth), "median": float(depth.median()), "max": float(depth.max())}  # type: ignore[arg-type]


def _parts(system: str) -> Iterable[frozenset[str]]:
    elements = system.split("-")
    sizes = range(2, len(elements) + 1)
    return map(frozenset, chain.from_iterable(combinations(elements, size) for size in sizes))
