"""Neighbour graphs and decoding, against pymatgen."""

import polars as pl
from timing import Comparison, best_of

from pipeline.crystals.encoding import decode
from pipeline.crystals.graph import neighbour_graph

CUTOFF, NEIGHBOURS = 6.0, 12


def graphs(table: pl.DataFrame) -> Comparison:
    """All edges within the cutoff by pymatgen; ours also sorts them and keeps whole shells."""
    crystals = decode(table)
    structures = [crystal.to_pymatgen() for crystal in crystals]
    ours = best_of(3, lambda: [neighbour_graph(crystal, CUTOFF, NEIGHBOURS) for crystal in crystals])
    theirs = best_of(3, lambda: [structure.get_neighbor_list(CUTOFF) for structure in structures])
    return Comparison("neighbour graph, 6 Å", "Structure.get_neighbor_list", len(crystals), ours, theirs)


def decoding(table: pl.DataFrame) -> Comparison:
    """From columns to crystals, against ``Structure.from_dict`` of dictionaries already in memory."""
    from pymatgen.core import Structure

    dictionaries = [crystal.to_pymatgen().as_dict() for crystal in decode(table)]
    ours = best_of(5, lambda: decode(table))
    theirs = best_of(2, lambda: [Structure.from_dict(dictionary) for dictionary in dictionaries])
    return Comparison("decode a table of crystals", "Structure.from_dict", len(table), ours, theirs)
