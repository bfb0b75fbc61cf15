"""Distances to the hull, against one phase diagram of pymatgen per chemical system."""

from collections import defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl

from lodestone.crystals.compositions import fractions_of_formulas
from lodestone.stability.hull import ConvexHull
from timing import Comparison, best_of

EXACT = 1e-9  # eV/atom
LATE = 1000  # crystals that arrive when the hull is there


def distances(table: pl.DataFrame, name: str) -> Comparison:
    """Energy above hull of every row; both ways must agree before their times are compared.

    Args:
        table: Columns ``formula``, ``chemsys``, ``formation_energy_per_atom``.
        name: What the table is.
    """
    fractions, energies = (
        fractions_of_formulas(table["formula"]),
        table["formation_energy_per_atom"].to_numpy(),
    )
    results: dict[str, np.ndarray] = {}

    def ours() -> None:
        results["ours"] = ConvexHull(fractions, energies).distances

    def theirs() -> None:
        results["theirs"] = _by_pymatgen(table)

    seconds = best_of(3, ours), best_of(1, theirs)
    _check(results["ours"], results["theirs"])
    return Comparison(f"hull of {name}", "PhaseDiagram per system", len(table), *seconds)


def arrivals(table: pl.DataFrame) -> Comparison:
    """A thousand random rows that arrive late, against building the hull of all anew."""
    order = np.random.default_rng(0).permutation(len(table))
    fractions, energies = (
        fractions_of_formulas(table["formula"])[order],
        table["formation_energy_per_atom"].to_numpy()[order],
    )
    first = ConvexHull(fractions[:-LATE], energies[:-LATE])
    results: dict[str, np.ndarray] = {}

    def ours() -> None:
        results["ours"] = first.with_phases(fractions[-LATE:], energies[-LATE:]).distances

    def anew() -> None:
        results["anew"] = ConvexHull(fractions, energies).distances

    seconds = best_of(3, ours), best_of(3, anew)
    _check(results["ours"], results["anew"])
    return Comparison(f"{LATE:,} more phases", f"hull of all {len(table):,} anew", LATE, *seconds)


def neighborhood(table: pl.DataFrame, n_elements: int) -> pl.DataFrame:
    """All rows that hold only some elements, drawn with a fixed seed: whole systems with all their subsystems."""
    elements = table["chemsys"].str.split("-")
    chosen = elements.explode().unique().sort().sample(n_elements, seed=1)
    return table.filter(elements.list.set_difference(chosen.to_list()).list.len() == 0)


def materials_project(folder: Path) -> pl.DataFrame | None:
    """Formation energies of the Materials Project, where somebody has put them."""
    path = folder / "mp_energies.parquet"
    return (
        pl.read_parquet(path, columns=["formula", "chemsys", "formation_energy_per_atom"]) if path.is_file() else None
    )


def _check(ours: np.ndarray, theirs: np.ndarray) -> None:
    difference = float(np.abs(ours - theirs).max())
    if difference > EXACT:
        raise SystemExit(f"the two ways differ by {difference} eV/atom: there is nothing to compare")


def _by_pymatgen(table: pl.DataFrame) -> np.ndarray:
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition

    rows = zip(table["formula"], table["formation_energy_per_atom"], strict=True)
    compositions = [(Composition(formula), energy) for formula, energy in rows]
    entries = [PDEntry(composition, energy * composition.num_atoms) for composition, energy in compositions]
    by_system = defaultdict(list)
    for index, system in enumerate(table["chemsys"]):
        by_system[tuple(sorted(system.split("-")))].append(index)
    result = np.empty(len(table))
    for system, indices in by_system.items():
        subsystems = (subsystem for size in range(1, len(system) + 1) for subsystem in combinations(system, size))
        elements = [PDEntry(Composition(symbol), 0.0) for symbol in system]
        diagram = PhaseDiagram(
            elements + [entries[i] for subsystem in subsystems for i in by_system.get(subsystem, ())]
        )
        result[indices] = [diagram.get_e_above_hull(entries[i]) for i in indices]
    return result
