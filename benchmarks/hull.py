"""Distances to the hull, against one phase diagram of pymatgen per chemical system."""

from collections import defaultdict

import numpy as np
import polars as pl
from timing import Comparison, best_of

from pipeline.stability.compositions import atomic_fractions
from pipeline.stability.hull import ConvexHull

EXACT = 1e-9  # eV/atom


def distances(table: pl.DataFrame) -> Comparison:
    """Energy above hull of every row; both ways must agree before their times are compared."""
    fractions = atomic_fractions(table["atomic_numbers"].to_list())
    energies = table["formation_energy_per_atom"].to_numpy()
    found: dict[str, np.ndarray] = {}

    def ours() -> None:
        found["ours"] = ConvexHull(fractions, energies).energies_above_hull(fractions, energies)

    def theirs() -> None:
        found["theirs"] = _by_pymatgen(table)

    comparison = Comparison(
        "energies above hull", "PhaseDiagram per system", len(table), best_of(3, ours), best_of(1, theirs)
    )
    difference = float(np.abs(found["ours"] - found["theirs"]).max())
    if difference > EXACT:
        raise SystemExit(f"the two ways differ by {difference} eV/atom: there is nothing to compare")
    return comparison


def _by_pymatgen(table: pl.DataFrame) -> np.ndarray:
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition

    rows = zip(table["formula_pretty"], table["formation_energy_per_atom"], strict=True)
    compositions = [(Composition(formula), energy) for formula, energy in rows]
    entries = [PDEntry(composition, energy * composition.num_atoms) for composition, energy in compositions]
    by_system = defaultdict(list)
    for index, system in enumerate(table["chemsys"]):
        by_system[frozenset(system.split("-"))].append(index)
    result = np.empty(len(table))
    for system, indices in by_system.items():
        competing = [entries[i] for part, members in by_system.items() if part <= system for i in members]
        diagram = PhaseDiagram(competing)
        result[indices] = [diagram.get_e_above_hull(entries[i]) for i in indices]
    return result
