"""What reactions start from: substances that a shelf may hold.

Solid elements, and compounds of two elements that the campaign knows on its hull or close to it and that are charge
balanced by usual oxidation states: oxides, chalcogenides, halides, nitrides; carbonates, which give off CO2; and the
gases of which atmospheres are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lodestone.handover.phases import KnownPhases, System
from lodestone.handover.reactions import atoms_in
from lodestone.substitution.charges import STRICT, is_charge_balanced

NEAR_HULL = 0.05  # eV/atom: what a potential may be off by for a compound that anybody can buy
CARBON_DIOXIDE = "CO2"
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


def precursors(system: System, near: float = NEAR_HULL) -> list[Precursor]:
    """The common elements and compounds of two elements among the phases of a system, by formula.

    Args:
        system: Known phases; those that the campaign itself discovered are on no shelf.
        near: How far above the hull a compound may lie, eV/atom.
    """
    rows = (row for row in system.lowest().iter_rows(named=True) if _is_on_shelf(row, near))
    named = ((row, _name(row["formula_pretty"], row["chemsys"].split("-"))) for row in rows)
    return sorted((precursor_of(row, name) for row, name in named if name), key=lambda one: one.formula)


def _is_on_shelf(row: Mapping[str, Any], near: float) -> bool:
    return row["energy_above_hull"] <= near and row["origin"] in ("snapshot", "reference", "phases")


def _name(formula: str, elements: Sequence[str]) -> str | None:
    """What a phase is called as a precursor; ``None`` if it is none."""
    if len(elements) == 1:
        return None if elements[0] in _NOBLE else "gas" if elements[0] in _ATMOSPHERES else "element"
    if len(elements) > 2 or formula in _GASES or not _is_neutral(formula):
        return None
    return next((name for anion, name in _NAMES.items() if anion in elements), None)


def carbonates(phases: KnownPhases, elements: Sequence[str]) -> tuple[Precursor | None, list[Precursor]]:
    """CO2, and the carbonates of the elements; none where the campaign has no CO2."""
    system = phases.within(["C", "O"])
    rows = system.lowest().filter(system.lowest()["formula_pretty"] == CARBON_DIOXIDE).rows(named=True)
    if not rows:
        return None, []
    known = [phases.within(["C", "O", metal]).lowest() for metal in elements if metal != "O"]
    candidates = (row for table in known for row in table.iter_rows(named=True) if row["chemsys"].count("-") == 2)
    kept = [row for row in candidates if _is_on_shelf(row, NEAR_HULL) and _is_carbonate(row["formula_pretty"])]
    return precursor_of(rows[0], "gas"), [precursor_of(row, "carbonate") for row in kept]


def _is_carbonate(formula: str) -> bool:
    amounts = _amounts(formula)
    return amounts["O"] == 3 * amounts["C"] and _is_neutral(formula)


def _is_neutral(formula: str) -> bool:
    amounts = _amounts(formula)
    return is_charge_balanced(tuple(amounts), tuple(int(n) for n in amounts.values()), STRICT)


def precursor_of(row: Mapping[str, Any], name: str) -> Precursor:
    """A phase as a precursor.

    Args:
        row: With ``material_id``, ``formula_pretty`` and ``formation_energy_per_atom``.
        name: ``element``, ``gas``, ``oxide`` and so on.
    """
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
