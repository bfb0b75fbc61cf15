"""Balanced reactions that lead from common precursors to a find, ranked by their driving force.

Precursors are what a shelf may hold: solid elements, and compounds of two elements that the campaign knows on its hull
or close to it and that are charge balanced by usual oxidation states: oxides, chalcogenides, halides, nitrides;
carbonates, which give off CO2; and, together with compounds, the gases of which atmospheres are made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from lodestone.handover.phases import KnownPhases, System
from lodestone.handover.reactions import Reaction, Substance, atoms_in
from lodestone.substitution.charges import STRICT, is_charge_balanced

NEAR_HULL = 0.05  # eV/atom: what a potential may be off by for a compound that anybody can buy
MOST_OF_A_KIND = 20
CARBON_DIOXIDE = "CO2"
COMPOUNDS, WITH_GAS, ELEMENTS, MIXED = KINDS = (
    "compounds",
    "compounds in an atmosphere",
    "elements",
    "compounds and elements",
)
_ATMOSPHERES = frozenset({"H", "N", "O", "F", "Cl", "Br"})  # bromine as vapor
_NOBLE = frozenset({"He", "Ne", "Ar", "Kr", "Xe", "Rn"})
# Compounds that are gases at room temperature, which nobody weighs into a crucible.
_GASES = frozenset(
    (
        "CO CO2 NO NO2 N2O SO2 H2S H2Se H2Te HF HCl HBr HI NH3 PH3 AsH3 BF3 BCl3 CF4 SiF4 GeF4 NF3 PF3 PF5 AsF5 SF4 "
        "SF6 SeF6 TeF6 WF6 OF2 ClF ClF3 BrF"
    ).split()
)
# By their anion, the most electronegative first, which names a compound of two of them.
_NAMES = {
    "F": "fluoride", "O": "oxide", "Cl": "chloride", "N": "nitride", "Br": "bromide", "I": "iodide", "S": "sulfide",
    "Se": "selenide", "Te": "telluride",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Precursor:
    """A substance to start from.

    Attributes:
        formula: Its formula unit.
        material_id: The phase.
        name: ``element``, ``gas``, ``oxide`` and so on.
        energy: Formation energy, eV per formula unit.
        amounts: Atoms of each element in it.
    """

    formula: str
    material_id: str
    name: str
    energy: float
    amounts: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Route:
    """A reaction from precursors.

    Attributes:
        reaction: Precursors in, one formula unit of the find out.
        kind: One of ``KINDS``.
        precursors: What goes in, as ``K2S (sulfide)``.
    """

    reaction: Reaction
    kind: str
    precursors: tuple[str, ...]

    @property
    def remark(self) -> str:
        """Gases that go in or come out; their entropy is not in the energy at 0 K."""
        taken = [one.split()[0] for one in self.precursors if one.endswith("(gas)")]
        given = [one.formula for one in self.reaction.products[1:]]
        return "; ".join([*(f"takes up {gas}" for gas in taken), *(f"gives off {gas}" for gas in given)])


def routes(find: Mapping[str, Any], phases: KnownPhases, most_of_a_kind: int = MOST_OF_A_KIND) -> list[Route]:
    """The routes to a find, those of the largest driving force first.

    Args:
        find: Row with ``material_id``, ``formula_pretty``, ``chemsys`` and ``formation_energy_per_atom``.
        phases: Of the campaign.
        most_of_a_kind: So many routes of each kind are kept.
    """
    elements, target = find["chemsys"].split("-"), _precursor(find, "find")
    shelf = [one for one in precursors(phases.within(elements)) if one.formula != target.formula]
    gas: Precursor | None = None
    if "O" in elements and "C" not in elements:
        gas, carbonates = _carbonates(phases, elements)
        shelf += carbonates
    ordered = sorted(_balanced(target, sorted(shelf, key=lambda one: one.formula), gas), key=_rank)
    return [one for one, place in zip(ordered, _places(ordered), strict=True) if place < most_of_a_kind]


def precursors(system: System, near: float = NEAR_HULL) -> list[Precursor]:
    """The common elements and compounds of two elements among the phases of a system, by formula.

    Args:
        system: Known phases; those that the campaign itself discovered are on no shelf.
        near: How far above the hull a compound may lie, eV/atom.
    """
    rows = (row for row in system.lowest().iter_rows(named=True) if _is_on_shelf(row, near))
    named = ((row, _name(row["formula_pretty"], row["chemsys"].split("-"))) for row in rows)
    return sorted((_precursor(row, name) for row, name in named if name), key=lambda one: one.formula)


def _is_on_shelf(row: Mapping[str, Any], near: float) -> bool:
    return row["energy_above_hull"] <= near and row["origin"] in ("snapshot", "reference", "phases")


def _name(formula: str, elements: Sequence[str]) -> str | None:
    """What a phase is called as a precursor; ``None`` if it is none."""
    if len(elements) == 1:
        return None if elements[0] in _NOBLE else "gas" if elements[0] in _ATMOSPHERES else "element"
    if len(elements) > 2 or formula in _GASES or not _is_neutral(formula):
        return None
    return next((name for anion, name in _NAMES.items() if anion in elements), None)


def _carbonates(phases: KnownPhases, elements: Sequence[str]) -> tuple[Precursor | None, list[Precursor]]:
    """CO2, and the carbonates of the elements; none where the campaign has no CO2."""
    system = phases.within(["C", "O"])
    rows = system.lowest().filter(system.lowest()["formula_pretty"] == CARBON_DIOXIDE).rows(named=True)
    if not rows:
        return None, []
    known = [phases.within(["C", "O", metal]).lowest() for metal in elements if metal != "O"]
    candidates = (row for table in known for row in table.iter_rows(named=True) if row["chemsys"].count("-") == 2)
    kept = [row for row in candidates if _is_on_shelf(row, NEAR_HULL) and _is_carbonate(row["formula_pretty"])]
    return _precursor(rows[0], "gas"), [_precursor(row, "carbonate") for row in kept]


def _is_carbonate(formula: str) -> bool:
    amounts = _amounts(formula)
    return amounts["O"] == 3 * amounts["C"] and _is_neutral(formula)


def _is_neutral(formula: str) -> bool:
    amounts = _amounts(formula)
    return is_charge_balanced(tuple(amounts), tuple(int(n) for n in amounts.values()), STRICT)


def _balanced(target: Precursor, shelf: Sequence[Precursor], gas: Precursor | None) -> Iterator[Route]:
    """All reactions of as many precursors as there are elements, or fewer, that need every one of them."""
    needed = set(target.amounts)
    for size in range(1, len(needed) + 1):
        for chosen in combinations(shelf, size):
            if _kind(chosen) and needed <= {element for one in chosen for element in one.amounts}:
                released = gas if any("C" in one.amounts and "C" not in needed for one in chosen) else None
                amounts = _amounts_needed(target, chosen, released)
                if amounts is not None:
                    yield _route(target, chosen, amounts, released)


def _amounts_needed(target: Precursor, chosen: Sequence[Precursor], released: Precursor | None) -> np.ndarray | None:
    """Formula units of each precursor and of CO2, all above 0; ``None`` where no amounts balance, or several do."""
    others = [*chosen, *([released] if released else [])]
    elements = sorted({element for one in others for element in one.amounts})
    signs = np.array([1.0] * len(chosen) + [-1.0] * (len(others) - len(chosen)))
    matrix = np.array([[one.amounts.get(element, 0.0) for one in others] for element in elements]) * signs
    wanted = np.array([target.amounts.get(element, 0.0) for element in elements])
    amounts, _, rank, _ = np.linalg.lstsq(matrix, wanted, rcond=None)
    is_balanced = np.abs(matrix @ amounts - wanted).max() < 1e-8 and rank == len(others)
    return amounts if is_balanced and amounts.min() > 1e-8 else None


def _route(target: Precursor, chosen: Sequence[Precursor], amounts: np.ndarray, released: Precursor | None) -> Route:
    given = float(sum(one.energy * x for one, x in zip(chosen, amounts, strict=False)))
    freed = [(released, float(amounts[-1]))] if released else []
    products = [Substance(one.formula, x, one.material_id) for one, x in [(target, 1.0), *freed]]
    return Route(
        reaction=Reaction(
            reactants=tuple(
                Substance(one.formula, float(x), one.material_id) for one, x in zip(chosen, amounts, strict=False)
            ),
            products=tuple(products),
            energy=target.energy + sum(one.energy * x for one, x in freed) - given,
            n_atoms=sum(target.amounts.values()),
        ),
        kind=str(_kind(chosen)),
        precursors=tuple(f"{one.formula} ({one.name})" for one in chosen),
    )


def _kind(chosen: Sequence[Precursor]) -> str | None:
    """What a reaction starts from; ``None`` for elements in an atmosphere, of which compounds are made anyway."""
    names = {one.name for one in chosen}
    compounds = names - {"element", "gas"}
    if "gas" in names:
        return WITH_GAS if compounds and "element" not in names else None
    if "element" in names:
        return MIXED if compounds else ELEMENTS
    return COMPOUNDS


def _rank(route: Route) -> tuple[float, int, str]:
    return route.reaction.energy_per_atom, len(route.precursors), route.reaction.equation


def _places(ordered: Sequence[Route]) -> list[int]:
    """How many routes of the same kind come before each."""
    before: Counter[str] = Counter()
    places = []
    for one in ordered:
        places.append(before[one.kind])
        before[one.kind] += 1
    return places


def _precursor(row: Mapping[str, Any], name: str) -> Precursor:
    formula = str(row["formula_pretty"])
    return Precursor(
        formula=formula,
        material_id=row["material_id"],
        name=name,
        energy=row["formation_energy_per_atom"] * atoms_in(formula),
        amounts=_amounts(formula),
    )


def _amounts(formula: str) -> dict[str, float]:
    from pymatgen.core import Composition

    return {str(symbol): float(n) for symbol, n in Composition(formula).get_el_amt_dict().items()}
