"""Pairs of atoms that are near each other, periodic images included (vesin)."""

from __future__ import annotations

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.runtime.imports import without


def pairs_within(crystal: Crystal, cutoff: float, quantities: str, *, both_ways: bool = True) -> tuple[np.ndarray, ...]:
    """All pairs of atoms up to a distance, in no particular order; on one thread, as workers use the other cores.

    Args:
        crystal: Any cell that is not flat.
        cutoff: Å.
        quantities: What to return, one letter each: ``i`` and ``j`` (the atoms, shape ``(p,)``), ``d`` (their
            distance, shape ``(p,)``, Å).
        both_ways: Whether to return each pair twice, as (i, j) and (j, i).
    """
    with without("torch"):  # vesin would import it to check for tensors
        import vesin

    search = vesin.NeighborList(cutoff=cutoff, full_list=both_ways, n_threads=1)
    return tuple(search.compute(crystal.cart_coords, crystal.lattice, periodic=True, quantities=quantities))
