"""Chooses the convex hulls to plot, and computes them before and after the campaign."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.report.collect import CampaignData

_ELEMENTS_ON_HULL = 1e-9  # eV/atom: phases above the elements can never be on the hull


@dataclass(frozen=True)
class SystemHull:
    """The phases of one chemical system and its lower hull, at one point of the campaign.

    Attributes:
        elements: Symbols, sorted; two to four.
        names: Formula of each phase; the elements come first.
        ids: Identifier of each phase; empty for the elements.
        fractions: Atomic fractions of the elements, shape ``(n, len(elements))``.
        energies: Formation energies, shape ``(n,)``, eV/atom.
        edges: Pairs of phases joined by a tie line, each sorted, in ascending order.
        discovered: Whether the campaign discovered the phase, shape ``(n,)``.
    """

    elements: tuple[str, ...]
    names: tuple[str, ...]
    ids: tuple[str, ...]
    fractions: np.ndarray
    energies: np.ndarray
    edges: tuple[tuple[int, int], ...]
    discovered: np.ndarray

    @property
    def on_hull(self) -> np.ndarray:
        """Whether each phase is a corner of the hull, shape ``(n,)``."""
        mask = np.zeros(len(self.names), dtype=bool)
        mask[[index for edge in self.edges for index in edge]] = True
        return mask


def most_changed_systems(campaign: CampaignData, discoveries: pl.DataFrame, limit: int = 2) -> list[tuple[str, ...]]:
    """The binary and ternary systems that the discoveries changed most, one of each if possible.

    Systems that already had stable compounds come first, then those with more discoveries, then those whose discoveries
    lie further below the known hull.

    Args:
        campaign: The campaign.
        discoveries: Its discoveries.
        limit: Maximum number of systems.
    """
    start = set(campaign.rounds[0].crystals.filter(pl.col("energy_above_hull") <= 0)["chemsys"].unique())
    rows = list(discoveries.select("chemsys", "energy_above_hull_start").iter_rows())
    systems = sorted({tuple(chemsys.split("-")) for chemsys, _ in rows if chemsys.count("-") in (1, 2)})

    def worth(system: tuple[str, ...]) -> tuple[int, int, float]:
        depths = [-depth for chemsys, depth in rows if set(chemsys.split("-")) <= set(system)]
        contested = any("-" in chemsys and set(chemsys.split("-")) <= set(system) for chemsys in start)
        return int(contested), len(depths), sum(depths)

    ranked = sorted(systems, key=worth, reverse=True)
    best = [next((system for system in ranked if len(system) == size), None) for size in (2, 3)]
    chosen = [system for system in best if system is not None][:limit]
    return chosen + [system for system in ranked if system not in chosen][: limit - len(chosen)]


def system_hull(crystals: pl.DataFrame, elements: tuple[str, ...], discovered: set[str]) -> SystemHull:
    """Lower hull of one chemical system.

    Args:
        crystals: Known crystals.
        elements: Two to four symbols, sorted.
        discovered: Identifiers of the campaign's discoveries.
    """
    inside = pl.col("chemsys").str.split("-").list.eval(pl.element().is_in(list(elements))).list.all()
    mine = crystals.filter(inside & pl.col("chemsys").str.contains("-")).sort(
        "formation_energy_per_atom", "material_id"
    )
    numbers = [ATOMIC_NUMBERS[symbol] for symbol in elements]
    rows = [np.mean(np.asarray(z)[:, None] == numbers, axis=0) for z in mine["atomic_numbers"]]
    fractions = np.vstack([np.eye(len(elements)), *rows])
    energies = np.concatenate([np.zeros(len(elements)), mine["formation_energy_per_atom"].to_numpy()])
    ids = (*[""] * len(elements), *mine["material_id"])
    return SystemHull(
        elements=elements,
        names=(*elements, *mine["formula_pretty"]),
        ids=ids,
        fractions=fractions,
        energies=energies,
        edges=_edges(fractions, energies),
        discovered=np.array([material_id in discovered for material_id in ids]),
    )


def _edges(fractions: np.ndarray, energies: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Edges of the lower hull, from Qhull on the phases below the elements plus one point far above them."""
    from scipy.spatial import ConvexHull

    size = fractions.shape[1]
    kept = [*range(size), *_lowest(fractions, energies, size)]
    points = np.column_stack([fractions[kept][:, 1:], energies[kept]])
    apex = np.append(np.full(size - 1, 1 / size), 1.0)
    facets = ConvexHull(np.vstack([points, apex])).simplices
    lower = [sorted(kept[corner] for corner in facet) for facet in facets if len(kept) not in facet]
    return tuple(sorted({(a, b) for facet in lower for a in facet for b in facet if a < b}))


def _lowest(fractions: np.ndarray, energies: np.ndarray, start: int) -> list[int]:
    """The lowest phase of each composition among those below the elements."""
    lowest: dict[tuple[float, ...], int] = {}
    for index in range(start, len(energies)):
        key = tuple(np.round(fractions[index], 9))
        if energies[index] < -_ELEMENTS_ON_HULL and (key not in lowest or energies[index] < energies[lowest[key]]):
            lowest[key] = index
    return sorted(lowest.values())
