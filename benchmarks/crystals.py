"""Neighbor graphs and decoding, against pymatgen."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lodestone.crystals.encoding import decode
from lodestone.crystals.graph import neighbor_graph, orbit_graph
from timing import Comparison, best_of

if TYPE_CHECKING:
    from pymatgen.core import Structure

CUTOFF, NEIGHBORS = 6.0, 12


def graphs(table: pl.DataFrame) -> Iterator[Comparison]:
    """The graph of nearest neighbors, and what our network reads of it, against the usual ways of pymatgen.

    `get_neighbor_list` gives all edges within the cutoff and chooses none.
    """
    crystals = decode(table)
    structures = [crystal.to_pymatgen() for crystal in crystals]
    chosen = best_of(3, lambda: [neighbor_graph(crystal, CUTOFF, NEIGHBORS) for crystal in crystals])
    reduced = best_of(3, lambda: [orbit_graph(crystal, CUTOFF, NEIGHBORS) for crystal in crystals])
    usual = best_of(2, lambda: [_nearest(structure) for structure in structures])
    bare = best_of(3, lambda: [structure.get_neighbor_list(CUTOFF) for structure in structures])
    n = len(crystals)
    yield Comparison("nearest neighbors, 6 Å", "get_all_neighbors, nearest 12", n, chosen, usual)
    yield Comparison("the same, then one node per orbit", "get_all_neighbors, nearest 12", n, reduced, usual)
    yield Comparison("nearest neighbors, 6 Å", "get_neighbor_list, all edges", n, chosen, bare)


def _nearest(structure: "Structure") -> tuple[np.ndarray, np.ndarray]:
    """Neighbors and distances as CGCNN and its descendants get them."""
    neighbors = [
        sorted(around, key=lambda site: site.nn_distance)[:NEIGHBORS]
        for around in structure.get_all_neighbors(CUTOFF, include_index=True)
    ]
    return (
        np.array([site.index for around in neighbors for site in around]),
        np.array([site.nn_distance for around in neighbors for site in around]),
    )


def decoding(table: pl.DataFrame) -> Comparison:
    """From columns to crystals, against ``Structure.from_dict`` of dictionaries already in memory."""
    from pymatgen.core import Structure

    dictionaries = [crystal.to_pymatgen().as_dict() for crystal in decode(table)]
    ours = best_of(5, lambda: decode(table))
    theirs = best_of(2, lambda: [Structure.from_dict(dictionary) for dictionary in dictionaries])
    return Comparison("decode a table of crystals", "Structure.from_dict", len(table), ours, theirs)
