"""The phases that compete with a find, and what it would decompose into without itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Any

import polars as pl

from lodestone.crystals.compositions import fractions_of_formulas
from lodestone.crystals.elements import SYMBOLS
from lodestone.handover.reactions import Reaction, Substance, atoms_in
from lodestone.stability.hull import ConvexHull

NEAR_HULL = 0.05  # eV/atom: phases further above the hull are not listed
_COLUMNS = ("material_id", "formula_pretty", "chemsys", "formation_energy_per_atom", "origin")


@dataclass(frozen=True)
class KnownPhases:
    """All phases of a campaign, by chemical system.

    Attributes:
        by_system: Columns ``material_id``, ``formula_pretty``, ``chemsys``, ``formation_energy_per_atom`` (eV/atom) and
            ``origin``, the lowest first.
    """

    by_system: Mapping[str, pl.DataFrame]

    @classmethod
    def of(cls, known: pl.DataFrame, without_structures: pl.DataFrame | None = None) -> KnownPhases:
        """The phases of known crystals and of a table of phases without structures."""
        tables = [known.select(_COLUMNS)]
        if without_structures is not None:
            tables.append(without_structures.with_columns(_reduced(), origin=pl.lit("phases")).select(_COLUMNS))
        ordered = pl.concat(tables).sort("formation_energy_per_atom", "material_id")
        parts = ordered.partition_by("chemsys", as_dict=True, maintain_order=True)
        return cls({str(name): part for (name,), part in parts.items()})

    def within(self, elements: Iterable[str]) -> System:
        """The phases of a chemical system and its subsystems."""
        symbols = sorted(set(elements))
        parts = chain.from_iterable(combinations(symbols, n) for n in range(1, len(symbols) + 1))
        tables = (self.by_system.get("-".join(part)) for part in parts)
        return System.of(pl.concat([self._none(), *(table for table in tables if table is not None)]))

    def _none(self) -> pl.DataFrame:
        return next(iter(self.by_system.values())).clear()


@dataclass(frozen=True)
class System:
    """The phases of a chemical system and its subsystems.

    Attributes:
        table: As in :class:`KnownPhases`, and ``energy_above_hull``, eV/atom, on the hull of these phases.
    """

    table: pl.DataFrame

    @classmethod
    def of(cls, table: pl.DataFrame) -> System:
        """With distances to their own hull."""
        distances = _hull(table).distances
        return cls(table.with_columns(pl.Series("energy_above_hull", distances).round(9)))

    def lowest(self) -> pl.DataFrame:
        """The lowest phase of each formula."""
        ordered = self.table.sort("formation_energy_per_atom", "material_id")
        return ordered.unique("formula_pretty", keep="first", maintain_order=True)

    def competing(self, find: str, highest: float = NEAR_HULL) -> pl.DataFrame:
        """A find, and the phases at most so far above the hull, eV/atom; those on the hull first."""
        near = (pl.col("energy_above_hull") <= highest) | (pl.col("material_id") == find)
        return self.table.filter(near).sort("energy_above_hull", "formula_pretty", "material_id")

    def polymorphs(self, find: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Other phases of a find's formula, with their energies above it, eV/atom; negative: lower than the find."""
        same = (pl.col("formula_pretty") == find["formula_pretty"]) & (pl.col("material_id") != find["material_id"])
        above = (pl.col("formation_energy_per_atom") - find["formation_energy_per_atom"]).round(6)
        rows = self.table.filter(same).select("material_id", energy_above_find_ev_per_atom=above)
        return rows.sort("energy_above_find_ev_per_atom", "material_id").to_dicts()

    def decomposition(self, find: Mapping[str, Any]) -> Reaction:
        """What a find would decompose into if nothing had its composition.

        Its energy is minus the decomposition energy of Bartel et al., npj Comput. Mater. 6, 97 (2020): positive for a
        find below the hull of all other compositions.

        Args:
            find: Row with ``material_id``, ``formula_pretty`` and ``formation_energy_per_atom``.
        """
        others = self.table.filter(pl.col("formula_pretty") != find["formula_pretty"])
        formula, size = str(find["formula_pretty"]), atoms_in(find["formula_pretty"])
        shares = _hull(others).decompositions(fractions_of_formulas([formula]))[0]
        products = [_product(others, phase, share * size) for phase, share in shares]
        energy = sum(share * _energy(others, phase) for phase, share in shares) - find["formation_energy_per_atom"]
        return Reaction(
            reactants=(Substance(formula, 1.0, find["material_id"]),),
            products=tuple(products),
            energy=energy * size,
            n_atoms=size,
        )


def _hull(table: pl.DataFrame) -> ConvexHull:
    return ConvexHull(fractions_of_formulas(table["formula_pretty"]), table["formation_energy_per_atom"].to_numpy())


def _product(phases: pl.DataFrame, phase: int, atoms: float) -> Substance:
    """A part of a decomposition, of which so many atoms are."""
    if phase < 0:
        return Substance(SYMBOLS[-phase], atoms)
    row = phases.row(phase, named=True)
    return Substance(row["formula_pretty"], atoms / atoms_in(row["formula_pretty"]), row["material_id"])


def _energy(phases: pl.DataFrame, phase: int) -> float:
    return float(phases["formation_energy_per_atom"][phase]) if phase >= 0 else 0.0


def _reduced() -> pl.Expr:
    """Formulas as the tables of crystals write them."""
    return pl.col("formula_pretty").map_elements(_reduced_formula, return_dtype=pl.String)


def _reduced_formula(formula: str) -> str:
    from pymatgen.core import Composition

    return str(Composition(formula).reduced_formula)
