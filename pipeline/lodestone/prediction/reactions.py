"""Decomposition as chemists write it: formula units of the products for one of the crystal."""

from __future__ import annotations

from collections.abc import Sequence

from lodestone.crystals.elements import SYMBOLS
from lodestone.stability.hull import Decomposition


def describe_reaction(formula: str, decomposition: Decomposition, formulas: Sequence[str], names: Sequence[str]) -> str:
    """The products for one formula unit of a crystal; the phase of the same formula is named, as nothing decomposes.

    Args:
        formula: Of the crystal.
        decomposition: Phases with their shares of the atoms, as
            :meth:`lodestone.stability.hull.ConvexHull.decompositions` gives them.
        formulas: Of all phases.
        names: Their identifiers.

    Examples:
        >>> describe_reaction("NaCl3", [(0, 0.5), (-17, 0.5)], ["NaCl"], ["mp-1"])
        'NaCl + 2 Cl'
        >>> describe_reaction("NaCl", [(0, 1.0)], ["NaCl"], ["mp-1"])
        'NaCl (mp-1)'
    """
    size = atoms_of(formula)
    products = [(formulas[phase] if phase >= 0 else SYMBOLS[-phase], share) for phase, share in decomposition]
    if len(products) == 1 and products[0][0] == formula:
        phase = decomposition[0][0]
        return f"{formula} ({names[phase]})" if phase >= 0 else formula
    return " + ".join(_term(product, share * size / atoms_of(product)) for product, share in products)


def atoms_of(formula: str) -> float:
    """Number of atoms in a formula unit."""
    from pymatgen.core import Composition

    return float(Composition(formula).num_atoms)


def _term(formula: str, amount: float) -> str:
    number = f"{amount:.3f}".rstrip("0").rstrip(".")
    return formula if number == "1" else f"{number} {formula}"
